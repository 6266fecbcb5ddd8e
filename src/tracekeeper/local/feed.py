"""Reading a trace while it is written, by whole lines, at the reader's own pace."""

from collections.abc import Iterator
from pathlib import Path

from tracekeeper.runner.spool import tail
from tracekeeper.trace.lines import Stripper
from tracekeeper.trace.sections import SectionHider

BLOCK = 1 << 20


class TraceFeed:
    """The text of one trace. Reads the file, so it may lag without harm.

    `prefix` is put before each line, `timestamps` adds the stored times; section marks are left
    out.
    """

    def __init__(self, path: Path, *, prefix: bytes = b"", timestamps: bool = False) -> None:
        self._path = path
        self._prefix = prefix
        self._stripper = Stripper(timestamps=timestamps)
        self._hider = SectionHider()
        self._offset = 0
        self._line = b""

    @property
    def line(self) -> bytes:
        """What is known of a line that is not finished, prefix included."""
        return self._prefix + self._line if self._line else b""

    def read(self) -> tuple[int, bytes]:
        """How many bytes of the trace were read, and the whole lines they complete."""
        block = self._block()
        text = self._stripper.feed(block) if block else self._stripper.settle()
        shown = self._hider.feed(text) + (b"" if block else self._hider.settle())
        return len(block), self._whole_lines(shown)

    def rest(self) -> bytes:
        """Nothing will follow: what is left, as a line."""
        text = self._line + self._hider.feed(self._stripper.finish()) + self._hider.finish()
        self._line = b""
        return self._prefixed(text + b"\n") if text else b""

    def _whole_lines(self, text: bytes) -> bytes:
        whole, newline, rest = text.rpartition(b"\n")
        if not newline:
            self._line += text
            return b""
        lines = self._line + whole + newline
        self._line = rest
        return self._prefixed(lines)

    def _prefixed(self, lines: bytes) -> bytes:
        if not self._prefix:
            return lines
        return self._prefix + lines[:-1].replace(b"\n", b"\n" + self._prefix) + b"\n"

    def _block(self) -> bytes:
        with self._path.open("rb") as file:
            file.seek(self._offset)
            block = file.read(BLOCK)
        self._offset += len(block)
        return block


class PlainLog:
    """A trace as one text for a person: no headers, no section marks, an unfinished line as far
    as it is known."""

    def __init__(self, path: Path, *, timestamps: bool = False) -> None:
        self._feed = TraceFeed(path, timestamps=timestamps)
        self._shown = b""

    def news(self) -> Iterator[bytes]:
        """What has come since the last call."""
        size = 1
        while size:
            size, lines = self._feed.read()
            if lines:
                yield self._rest_of(lines)
                self._shown = b""
        yield self._rest_of(self._feed.line)
        self._shown = self._feed.line

    def finish(self) -> bytes:
        """Nothing will follow: what is left."""
        return self._rest_of(self._feed.rest())

    def _rest_of(self, text: bytes) -> bytes:
        """`text`, which begins with what is shown of its first line, without that."""
        return text[len(self._shown) :]


class RawLog:
    """A trace as it was written, byte by byte, without the headers."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stripper = Stripper()
        self._offset = 0

    def news(self) -> Iterator[bytes]:
        """What has come since the last call."""
        for block in tail(self._path, self._offset):
            self._offset += len(block)
            yield self._stripper.feed(block)

    def finish(self) -> bytes:
        """Nothing will follow: what is left."""
        return self._stripper.finish()
