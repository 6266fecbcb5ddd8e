"""Reading the text of a trace while it is written, at the reader's own pace."""

import re
from pathlib import Path

from tracekeeper.errors import StorageError
from tracekeeper.trace.lines import Stripper
from tracekeeper.trace.sections import SectionHider

BLOCK = 1 << 20
_LINE = re.compile(rb"[^\n]*\n|[^\n]+")
_STAMP = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z ")


class TraceText:
    """The text of the trace at `path`: what was written, without the headers.

    Section marks are left out unless `marks`; `timestamps` puts the stored time before each line.
    Lags without harm: it reads the file, also while another process writes it.
    """

    def __init__(self, path: Path, *, timestamps: bool = False, marks: bool = False) -> None:
        self._path = path
        self._offset = 0
        self._stripper = Stripper(timestamps=timestamps)
        self._hider = _hider(timestamps=timestamps, marks=marks)

    def read(self) -> tuple[bool, bytes]:
        """Whether there may be more of the trace, and the next of its text, split anywhere.

        At the end of the file as it is now, what was only kept back for what may follow is given
        out too. Raises StorageError where the file cannot be read.
        """
        block = self._block()
        text = self._hider.feed(self._stripper.feed(block))
        if len(block) == BLOCK:
            return True, text
        return False, text + self._hider.feed(self._stripper.settle()) + self._hider.settle()

    def rest(self) -> bytes:
        """Nothing will follow: what was kept back."""
        return self._hider.feed(self._stripper.finish()) + self._hider.finish()

    def _block(self) -> bytes:
        try:
            with self._path.open("rb", buffering=0) as file:
                file.seek(self._offset)
                block = file.read(BLOCK)
        except OSError as error:
            raise StorageError(f"cannot read {self._path}: {error.strerror}") from error
        self._offset += len(block)
        return block


class _StampedHider:
    """Hides section marks in lines that begin with their time: with its line, the time vanishes."""

    def __init__(self) -> None:
        self._hider = SectionHider()
        self._at_start = True
        self._stamp = b""

    def feed(self, text: bytes) -> bytes:
        first, newline, others = text.partition(b"\n")
        whole, end, rest = others.rpartition(b"\n")
        shown = self._lines(first + newline)
        shown += self._lines(whole + end) if b"section_" in whole else whole + end
        return shown + self._lines(rest)

    def settle(self) -> bytes:
        return self._stamped(self._hider.settle())

    def finish(self) -> bytes:
        return self._stamped(self._hider.finish())

    def _lines(self, text: bytes) -> bytes:
        return b"".join(map(self._line, _LINE.findall(text)))

    def _line(self, line: bytes) -> bytes:
        if self._at_start and (stamp := _STAMP.match(line)):
            self._stamp = stamp[0]
            line = line[stamp.end() :]
        self._at_start = line.endswith(b"\n")
        return self._stamped(self._hider.feed(line))

    def _stamped(self, shown: bytes) -> bytes:
        if not shown:
            return b""
        stamp, self._stamp = self._stamp, b""
        return stamp + shown


class _NoHider:
    """Leaves section marks where they are."""

    def feed(self, text: bytes) -> bytes:
        return text

    def settle(self) -> bytes:
        return b""

    def finish(self) -> bytes:
        return b""


def _hider(*, timestamps: bool, marks: bool) -> SectionHider | _StampedHider | _NoHider:
    if marks:
        return _NoHider()
    return _StampedHider() if timestamps else SectionHider()
