"""The status area: lines at the bottom of a terminal that are replaced again and again."""

from collections.abc import Sequence

from tracekeeper.cli import terminal
from tracekeeper.cli.cells import clip, width
from tracekeeper.cli.stdout import Stdout


class StatusArea:
    """Writes the area below all that was written before. `clear` it before writing more."""

    def __init__(self, out: Stdout) -> None:
        self._out = out
        self._lines: list[str] = []

    def clear(self) -> None:
        """Take the area away; the cursor is where it began."""
        if not self._lines:
            return
        above = _rows(self._lines) - 1
        self._out.write(b"\r%b\x1b[J" % (b"\x1b[%dA" % above if above else b""))
        self._lines = []

    def show(self, lines: Sequence[str]) -> None:
        """Replace the area by `lines`, plain text, cut to the terminal's width and height."""
        columns, rows = terminal.size()
        fitting = [clip(line, columns - 1) for line in lines[-max(1, rows - 1) :]]
        if fitting != self._lines:
            self.clear()
            self._out.write("\n".join(fitting).encode())
            self._lines = fitting
        self._out.flush()


def _rows(lines: Sequence[str]) -> int:
    """The rows that `lines` take now: a terminal that was made narrower has wrapped them."""
    columns = terminal.size().columns
    return sum(max(1, -(-width(line) // columns)) for line in lines)
