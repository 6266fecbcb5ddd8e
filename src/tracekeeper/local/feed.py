"""Reading a trace while it is written, by whole lines, at the reader's own pace."""

import re
from pathlib import Path

from tracekeeper.trace.lines import Stripper

BLOCK = 1 << 20
_MARK = rb"section_(?:start|end):\d+:[^\r\n]*?\r\x1b\[0K"


class TraceFeed:
    """The text of one trace. Reads the file, so it may lag without harm.

    `prefix` is put before each line, `timestamps` adds the stored times; section marks are left
    out.
    """

    def __init__(self, path: Path, *, prefix: bytes = b"", timestamps: bool = False) -> None:
        self._path = path
        time = rb"[^ ]+ " if timestamps else b""
        self._marks = re.compile(_MARK)
        self._only_marks = re.compile(
            rb"^%b%b(?:%b)+\n" % (re.escape(prefix), time, _MARK), re.MULTILINE
        )
        self._stripper = Stripper(prefix, timestamps=timestamps)
        self._offset = 0
        self._line = b""

    @property
    def line(self) -> bytes:
        """What is known of a line that is not finished, prefix included."""
        return self._line

    def read(self) -> tuple[int, bytes]:
        """How many bytes of the trace were read, and the whole lines they complete."""
        block = self._block()
        text = self._stripper.feed(block) if block else self._stripper.settle()
        return len(block), self._whole_lines(text)

    def rest(self) -> bytes:
        """Nothing will follow: what is left, as a line."""
        text = self._line + self._stripper.finish()
        self._line = b""
        return self._lines(text + b"\n") if text else b""

    def _whole_lines(self, text: bytes) -> bytes:
        whole, newline, rest = text.rpartition(b"\n")
        if not newline:
            self._line += text
            return b""
        lines = self._line + whole + newline
        self._line = rest
        return self._lines(lines)

    def _lines(self, lines: bytes) -> bytes:
        if b"section_" not in lines:
            return lines
        return self._marks.sub(b"", self._only_marks.sub(b"", lines))

    def _block(self) -> bytes:
        with self._path.open("rb") as file:
            file.seek(self._offset)
            block = file.read(BLOCK)
        self._offset += len(block)
        return block
