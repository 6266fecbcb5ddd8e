"""Plain tables for a terminal."""

from collections.abc import Callable, Collection, Sequence

from tracekeeper.cli.cells import pad, width
from tracekeeper.cli.terminal import Palette


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    palette: Palette,
    style: Callable[[int, str], Sequence[str]] = lambda _column, _text: (),
    *,
    right: Collection[int] = (),
) -> str:
    """`rows` under `head`, columns as wide as their widest cell, those in `right` flush right;
    `style` names a cell's styles."""
    widths = [max(map(width, column)) for column in zip(head, *rows, strict=True)]

    def line(cells: Sequence[str], styles: Callable[[int, str], Sequence[str]]) -> str:
        padded = [
            pad(cell, widths[column], right=column in right) for column, cell in enumerate(cells)
        ]
        last = max((column for column, cell in enumerate(cells) if cell), default=0)
        padded = [*padded[:last], padded[last].rstrip()]
        return "  ".join(
            palette(text, *styles(column, cells[column])) for column, text in enumerate(padded)
        )

    return "\n".join([line(head, lambda *_: ("dim",)), *(line(row, style) for row in rows)])
