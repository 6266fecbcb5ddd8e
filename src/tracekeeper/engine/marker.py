"""The end marker: the last thing a step writes, with its exit status. Pure.

    ␞tracekeeper-end:<nonce>:<exit status>\\n

It follows the script's last byte directly, so an unfinished last line stays unfinished. It comes
through the same pipe as the output: whoever has read it has read everything before it. The nonce
is new for each step; what an older one ended with is nothing special.
"""

import re

_MAX_STATUS_DIGITS = 3


class EndMarker:
    """Finds the marker in a stream of output, takes it out, and reads the exit status.

    `status` is None until the marker has been seen. Feed one stream's bytes in order.
    """

    __slots__ = ("_pattern", "_prefix", "held", "status")

    def __init__(self, nonce: str) -> None:
        self._prefix = prefix(nonce)
        self._pattern = re.compile(re.escape(self._prefix) + rb"(\d{1,%d})\n" % _MAX_STATUS_DIGITS)
        self.held = b""
        """What may be the beginning of the marker."""
        self.status: int | None = None

    def scan(self, data: bytes) -> bytes:
        """What of `data`, and of bytes held before, is output. Holds back what may be a marker."""
        if self.status is not None:
            return data
        if self.held:
            data = self.held + data
            self.held = b""
        match = self._pattern.search(data)
        if match:
            self.status = int(match[1])
            return data[: match.start()] + data[match.end() :]
        if data.endswith(b"\n"):  # a marker has its only newline at its end
            return data
        cut = self._begins_at(data)
        self.held = data[cut:]
        return data[:cut]

    def flush(self) -> bytes:
        """What was held back and turns out to be output, at the end of the stream."""
        held, self.held = self.held, b""
        return b"" if held.startswith(self._prefix) else held

    def _begins_at(self, data: bytes) -> int:
        """Where a marker that is not complete may begin in `data`; its length if nowhere."""
        size = len(self._prefix) + _MAX_STATUS_DIGITS
        tail = data[-size:]
        start = tail.find(self._prefix[:1])
        while start >= 0:
            candidate = tail[start:]
            if candidate.startswith(self._prefix) or self._prefix.startswith(candidate):
                return len(data) - len(candidate)
            start = tail.find(self._prefix[:1], start + 1)
        return len(data)


def prefix(nonce: str) -> bytes:
    """The marker up to the exit status. ASCII, so that no encoder alters it."""
    return b"\x1etracekeeper-end:" + nonce.encode("ascii") + b":"
