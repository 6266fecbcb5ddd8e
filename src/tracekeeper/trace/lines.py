"""Reading trace bytes: text without headers, or piece by piece. See `format`."""

import re
from collections.abc import Iterator

import msgspec

from tracekeeper.trace.format import HEADER_SIZE, time_of

_HEADER = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z [0-9a-f]{2}[OE][ +]")
# The faster look at a header is enough where nothing but a line's start can be mistaken for one.
_LINE_START = re.compile(rb"\n(?:....-..-..T.{15}Z ..[OE] |)", re.DOTALL)
_TIMED_LINE_START = re.compile(rb"\n(?:(....-..-..T.{15}Z) ..[OE] |)", re.DOTALL)
_CONTINUED = re.compile(rb"\n(....-..-..T.{15}Z) (..[OE])\+", re.DOTALL)

_UNDECIDED = 1 + HEADER_SIZE
"""It takes a newline and a header to know whether the newline was an added one, and a byte more
to know that there is text in the new piece."""


class Stripper:
    """Trace bytes → what was written: without headers, the pieces of a line joined.

    `prefix` is put before each line, and after it with `timestamps` the line's time. A newline is
    given out when the next line begins, since only then it is certain that it was not an added
    one. Lines without a header, as other programs write them, pass as they are.
    """

    __slots__ = ("_fresh", "_kept", "_prefix", "_stream", "_timestamps")

    def __init__(self, prefix: bytes = b"", *, timestamps: bool = False) -> None:
        self._prefix = prefix
        self._timestamps = timestamps
        self._stream = b""
        # Before the first line stands a newline that has been given out already.
        self._kept = b"\n"
        self._fresh = True

    def feed(self, trace: bytes) -> bytes:
        """Take the next bytes, split anywhere; return the text they make up."""
        trace = self._kept + trace
        cut = trace.find(b"\n", max(0, len(trace) - _UNDECIDED))
        if cut < 0:
            cut = len(trace)
        self._kept = trace[cut:]
        return self._text(trace[:cut])

    def settle(self) -> bytes:
        """Nothing more is there for now: return the newline that may have been kept back."""
        if self._fresh or self._kept != b"\n":
            return b""
        self._fresh = True
        return b"\n"

    def finish(self) -> bytes:
        """Nothing follows: return all that was kept back."""
        kept, self._kept = self._kept, b""
        if _CONTINUED.fullmatch(kept):  # it says that the job ended without a newline
            kept = b"\n"
        if kept == b"\n":
            return b"" if self._fresh else kept
        return self._text(kept)

    def _text(self, trace: bytes) -> bytes:
        if not trace:
            return b""
        parts: list[bytes] = []
        start = 0
        for mark in _CONTINUED.finditer(trace) if b"+" in trace else ():
            parts.append(self._whole(trace[start : mark.start()]))
            start = mark.end()
            if mark[2] != self._stream or (self._fresh and not mark.start()):
                parts.append(self._line_start(mark[1]))
            self._stream = mark[2]
        parts.append(self._whole(trace[start:]))
        text = b"".join(parts)
        if self._fresh:
            self._fresh = False
            return text[1:]
        return text

    def _whole(self, trace: bytes) -> bytes:
        """Strip bytes in which no line is a continued one."""
        last = trace.rfind(b"\n")
        if last < 0:
            return trace
        self._stream = trace[last + 29 : last + 32]
        if self._timestamps:
            return _TIMED_LINE_START.sub(lambda start: self._line_start(start[1] or b""), trace)
        return self._line_start(b"").join(_LINE_START.split(trace))

    def _line_start(self, time: bytes) -> bytes:
        return b"\n%s%s " % (self._prefix, time) if self._timestamps else b"\n" + self._prefix


class Piece(msgspec.Struct, frozen=True):
    """One piece of a trace.

    `at` is in microseconds since the epoch, None for a line without a header; `text` is without
    its newline. `continued` says that it goes on a line of its stream, `ended` that it has a
    newline, which the next piece of its stream may show to be an added one.
    """

    at: int | None
    stream: int
    text: bytes
    error: bool = False
    continued: bool = False
    ended: bool = True


def parse(trace: bytes) -> Iterator[Piece]:
    """The pieces of a trace that is at hand as a whole."""
    *ended, last = trace.split(b"\n")
    for piece in ended:
        yield _piece(piece, ended=True)
    if last:
        yield _piece(last, ended=False)


def _piece(piece: bytes, *, ended: bool) -> Piece:
    if not _HEADER.match(piece):
        return Piece(None, 0, piece, ended=ended)
    return Piece(
        time_of(piece),
        int(piece[28:30], 16),
        piece[HEADER_SIZE:],
        error=piece[30:31] == b"E",
        continued=piece[31:32] == b"+",
        ended=ended,
    )


def text_of(trace: bytes, stream: int) -> bytes:
    """What was written to one stream, of a trace that is at hand as a whole."""
    parts: list[bytes] = []
    for piece in parse(trace):
        if piece.stream != stream:
            continue
        if piece.continued and parts:
            parts.pop()  # the newline was an added one
        parts += piece.text, b"\n" if piece.ended else b""
    return b"".join(parts)
