"""Plain tables for a terminal."""

from collections.abc import Callable, Sequence

from tracekeeper.cli.terminal import Palette, pad, width


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    palette: Palette,
    style: Callable[[int, str], Sequence[str]] = lambda _column, _text: (),
) -> str:
    """`rows` under `head`, columns as wide as their widest cell; `style` names a cell's styles."""
    widths = [max(width(cell) for cell in column) for column in zip(head, *rows, strict=True)]

    def line(cells: Sequence[str], styles: Callable[[int, str], Sequence[str]]) -> str:
        padded = (
            palette(pad(cell, widths[column]), *styles(column, cell))
            for column, cell in enumerate(cells)
        )
        return "  ".join(padded).rstrip()

    return "\n".join([line(head, lambda *_: ("bold",)), *(line(row, style) for row in rows)])
