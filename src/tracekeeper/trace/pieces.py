"""Text of several streams → the pieces of a trace, each with its header. See `format`."""

from tracekeeper.trace.format import HEADER_SIZE, MAX_PIECE, header


class _Line:
    """The last line of one stream, as long as it is not finished."""

    __slots__ = ("at", "begun", "stream", "text")

    def __init__(self, stream: int) -> None:
        self.stream = stream
        self.text = b""
        """What is not stored yet."""
        self.at = 0
        """When the first byte of `text` came."""
        self.begun = False
        """Whether the line's beginning is stored already."""


class Pieces:
    """Gives every line its header. What it returns is to be appended to the trace.

    `headers` and `newlines` count the bytes added to the text.
    """

    __slots__ = ("_lines", "_unfinished", "headers", "newlines")

    def __init__(self) -> None:
        self._lines: dict[int, _Line] = {}
        # The line in which the trace ends: the next piece has to end it first.
        self._unfinished: _Line | None = None
        self.headers = 0
        self.newlines = 0

    def add(self, text: bytes, *, stream: int, at: int) -> bytes:
        """Store the lines that `text` (valid UTF-8) finishes, and what of the last cannot wait:
        more than `MAX_PIECE`, or a part with a carriage return (a progress bar)."""
        line = self._lines.get(stream) or self._lines.setdefault(stream, _Line(stream))
        if not line.text:
            line.at = at
        text = line.text + text
        line.text = b""
        parts: list[bytes] = []
        start = 0
        while start < len(text):
            end = text.rfind(b"\n", start, start + MAX_PIECE + 1) + 1
            if end:
                self._whole_lines(line, text[start:end], at, parts)
            elif len(text) - start > MAX_PIECE:
                end = _character_start(text, start + MAX_PIECE)
                self._part(line, text[start:end], parts)
            else:
                line.text = text[start:]
                break
            line.at = at
            start = end
        if b"\r" in line.text:
            parts.append(self._flush(line))
        return b"".join(parts)

    def flush(self) -> bytes:
        """Store unfinished lines as far as they are there, so that readers see them."""
        return b"".join(self._flush(line) for line in self._lines.values() if line.text)

    def finish(self, at: int) -> bytes:
        """After the last `flush`: mark lines that ended without a newline before another's."""
        parts: list[bytes] = []
        for line in self._lines.values():
            if line.begun and line is not self._unfinished:
                line.at = at
                self._part(line, b"", parts)
        return b"".join(parts)

    def pending(self, stream: int) -> bytes:
        """What is not stored yet of the unfinished line of `stream`."""
        line = self._lines.get(stream)
        return line.text if line else b""

    @property
    def waiting(self) -> int:
        """How many bytes of unfinished lines are not stored yet."""
        return sum(len(line.text) for line in self._lines.values())

    @property
    def begun(self) -> tuple[int, ...]:
        """The streams whose line is stored in part and goes on; the trace ends in the last one's
        if it ends in any."""
        begun = [line.stream for line in self._lines.values() if line.begun]
        return tuple(sorted(begun, key=lambda stream: self._lines[stream] is self._unfinished))

    @property
    def open(self) -> bool:
        """Whether the trace ends in a line that is not finished."""
        return self._unfinished is not None

    def restore(self, begun: tuple[int, ...], *, open: bool) -> None:  # noqa: A002  # as above
        """Go on for another `Pieces`, which had nothing that was not stored."""
        for stream in begun:
            self._lines[stream] = line = _Line(stream)
            line.begun = True
            if open:
                self._unfinished = line

    def ended(self) -> None:
        """Somebody has ended the line in which the trace ended."""
        self._unfinished = None

    def _flush(self, line: _Line) -> bytes:
        parts: list[bytes] = []
        self._part(line, line.text, parts)
        line.text = b""
        return b"".join(parts)

    def _whole_lines(self, line: _Line, text: bytes, at: int, parts: list[bytes]) -> None:
        self._begin(line, parts)
        body = text[:-1]
        if b"\n" in body:
            body = body.replace(b"\n", b"\n" + header(at, line.stream))
            self.headers += len(body) + 1 - len(text)
        parts += body, b"\n"
        line.begun = False
        self._unfinished = None

    def _part(self, line: _Line, text: bytes, parts: list[bytes]) -> None:
        self._begin(line, parts)
        parts.append(text)
        line.begun = True
        self._unfinished = line

    def _begin(self, line: _Line, parts: list[bytes]) -> None:
        if self._unfinished:
            parts.append(b"\n")
            self.newlines += 1
        parts.append(header(line.at, line.stream, continued=line.begun))
        self.headers += HEADER_SIZE


def _character_start(text: bytes, at: int) -> int:
    """The last place up to `at` where a character of UTF-8 starts."""
    while text[at] & 0xC0 == 0x80:
        at -= 1
    return at
