"""The text of one job as lines among those of others."""

import re
from collections.abc import Callable
from time import monotonic

from tracekeeper.cli.cells import plain
from tracekeeper.cli.escapes import RESET, harmless

LONGEST = 1 << 16
"""A longer line is shown in parts, so that memory stays bounded."""
WAIT = 0.5
"""Seconds without a finished line after which an unfinished one is shown. With the second that it
takes into the trace, it is seen within two. Where there is no status area, doubled each time it is
written again, so that a progress bar does not fill a file."""

_RETURNED = re.compile(rb"^[^\n]*\r(?=[^\r\n])", re.MULTILINE)
_RETURNED_STAMPED = re.compile(rb"^(.{26}Z )?[^\n]*\r(?=[^\r\n])", re.MULTILINE)
_RETURNS = re.compile(rb"\r+(?=\n|\Z)")


class JobLines:
    """Whole lines, `prefix` before each, with what a terminal would show of carriage returns.

    `colour` lets the job's colours through, to the end of each line. `timestamps` says that lines
    begin with their time.
    """

    def __init__(
        self,
        prefix: bytes,
        *,
        colour: bool,
        timestamps: bool = False,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._prefix = prefix
        self._colour = colour
        self._timestamps = timestamps
        self._clock = clock
        self._line = b""
        self._written = b""
        self._since = clock()
        self._wait = WAIT

    def feed(self, text: bytes) -> bytes:
        """Take text, split anywhere; return the whole lines it completes."""
        whole, newline, rest = text.rpartition(b"\n")
        if newline:
            whole, self._line = self._line + whole + newline, rest
            return self._shown(whole)
        self._line += text
        return self.finish() if len(self._line) > LONGEST else b""

    def finish(self) -> bytes:
        """Nothing will follow: return what is left, as a line."""
        line, self._line = self._line, b""
        return self._shown(line + b"\n") if line else b""

    def unfinished(self, beyond: bytes = b"") -> str:
        """The unfinished line and what is known `beyond` it as plain text, without prefix; empty
        as long as lines are being finished."""
        line = self._waiting(beyond)
        if not line or self._clock() - self._since < WAIT:
            return ""
        line = self._overwritten(harmless(line, colour=False))
        return plain(line.decode("utf-8", "replace"))

    def due(self, beyond: bytes = b"") -> bytes:
        """The unfinished line as a line of its own, if it is news and it is time to write it."""
        line = self._waiting(beyond)
        if not line or line == self._written or self._clock() - self._since < self._wait:
            return b""
        wait, shown = self._wait * 2, self._shown(line + b"\n")
        self._wait, self._written = wait, line
        return shown

    def _waiting(self, beyond: bytes) -> bytes:
        return (self._line + beyond).rstrip(b"\r")

    def _shown(self, lines: bytes) -> bytes:
        lines = harmless(lines.removeprefix(self._repeated()), colour=self._colour)
        if b"\r" in lines:
            lines = self._overwritten(lines)
        if not lines:
            return b""
        end = RESET + b"\n" if b"\x1b" in lines else b"\n"
        return self._prefix + lines[:-1].replace(b"\n", end + self._prefix) + end

    def _repeated(self) -> bytes:
        """A first line that has been written already, when it was not finished."""
        written, self._written = self._written, b""
        self._since, self._wait = self._clock(), WAIT
        return written and written + b"\n"

    def _overwritten(self, lines: bytes) -> bytes:
        lines = _RETURNS.sub(b"", lines)
        if self._timestamps:
            return _RETURNED_STAMPED.sub(rb"\1", lines)
        return _RETURNED.sub(b"", lines)
