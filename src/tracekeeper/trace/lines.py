"""Reading trace bytes: text without headers, or line by line."""

import re
from collections.abc import Iterator

import msgspec

from tracekeeper.trace.format import HEADER_SIZE, time_of

_HEADER = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z [0-9a-f]{2}[OE][ +]")


_LINE_START = re.compile(rb"\n(?:(.{26}Z) .{3} )?", re.DOTALL)
_CONTINUED = re.compile(rb"\n.{26}Z (.{3})\+", re.DOTALL)
_UNDECIDED = 1 + HEADER_SIZE
"""It takes a newline and a header to know whether the newline was an added one, and a byte more
to know that there is text in the new piece."""


class Stripper:
    """Trace bytes → what was written: without headers, the pieces of a line joined.

    `prefix` is put before each line, after it with `timestamps` the line's time. A newline is
    given out when the next line begins, since only then it is certain that it was not an added one.
    """

    __slots__ = ("_kept", "_line_start", "_settled", "_stream")

    def __init__(self, prefix: bytes = b"", *, timestamps: bool = False) -> None:
        time = b"\\1 " if timestamps else b""
        self._line_start = b"\n" + prefix.replace(b"\\", b"\\\\") + time
        self._stream = b""
        # Before the first line stands a newline that is out already.
        self._kept = b"\n"
        self._settled = True

    def feed(self, trace: bytes) -> bytes:
        """Take the next bytes, split anywhere; return the text they make up."""
        trace = self._kept + trace
        cut = trace.find(b"\n", max(0, len(trace) - _UNDECIDED))
        if cut < 0:
            cut = len(trace)
        self._kept = trace[cut:]
        return self._text(trace[:cut]) if cut else b""

    def settle(self) -> bytes:
        """Nothing more is there for now: return the newline that may have been kept back."""
        if self._settled or self._kept != b"\n":
            return b""
        self._settled = True
        return b"\n"

    def finish(self) -> bytes:
        """Nothing follows: return all that was kept back."""
        kept, self._kept = self._kept, b""
        if _CONTINUED.fullmatch(kept):  # says that the line ended without a newline
            kept = b"\n"
        return b"" if self._settled and kept == b"\n" else self._text(kept)

    def _text(self, trace: bytes) -> bytes:
        parts: list[bytes] = []
        start = 0
        for mark in _CONTINUED.finditer(trace) if b"+" in trace else ():
            parts.append(self._plain(trace[start : mark.start()]))
            if mark[1] != self._stream or self._settled:
                parts.append(_LINE_START.sub(self._line_start, mark[0][:-1] + b" "))
            self._stream = mark[1]
            start = mark.end()
        parts.append(self._plain(trace[start:]))
        text = b"".join(parts)
        if self._settled:
            self._settled = False
            return text[1:]
        return text

    def _plain(self, trace: bytes) -> bytes:
        newline = trace.rfind(b"\n")
        if newline < 0:
            return trace
        self._stream = trace[newline + 29 : newline + 32]
        return _LINE_START.sub(self._line_start, trace)


class Line(msgspec.Struct, frozen=True):
    """One piece of a trace.

    `at` is in microseconds since the epoch, None for a line without a header; `text` is without
    its newline; `continued` says that it goes on a line of its stream; `finished` that a newline
    ended it, which may still be an added one.
    """

    at: int | None
    stream: int
    text: bytes
    continued: bool = False
    finished: bool = True
    error: bool = False


def parse(trace: bytes) -> Iterator[Line]:
    """The pieces of a trace that is at hand as a whole."""
    *ended, last = trace.split(b"\n")
    for piece in ended:
        yield _line(piece, finished=True)
    if last:
        yield _line(last, finished=False)


def _line(piece: bytes, *, finished: bool) -> Line:
    if not _HEADER.match(piece):
        return Line(None, 0, piece, finished=finished)
    return Line(
        time_of(piece),
        int(piece[28:30], 16),
        piece[HEADER_SIZE:],
        continued=piece[31:32] == b"+",
        finished=finished,
        error=piece[30:31] == b"E",
    )
