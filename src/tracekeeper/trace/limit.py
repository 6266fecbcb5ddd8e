"""Cutting a trace that is too long in its middle: its head and its tail are kept."""

from collections import deque

_LONGEST_TAIL = 1024 * 1024
"""The tail is in memory until the job ends."""


class Limiter:
    """Passes on the head of a trace and keeps the latest of what follows in a bounded memory.

    `limit` is in bytes. A quarter of it, but at most 1 MiB, is for the tail. Cuts are made
    between pieces, so that the head ends with a newline and the tail begins with a header.
    """

    __slots__ = ("_chunks", "_size", "_tail", "dropped", "full", "room")

    def __init__(self, limit: int) -> None:
        self._tail = min(limit // 4, _LONGEST_TAIL)
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self.room = limit - self._tail
        self.full = False
        """Whether the head has been cut: nothing more of it follows."""
        self.dropped = 0
        """Bytes that neither head nor tail will hold."""

    @property
    def waiting(self) -> int:
        """How many bytes are kept for the tail."""
        return self._size

    def admit(self, pieces: bytes) -> bytes:
        """Take the next pieces of a trace; return what of them belongs to the head."""
        if self.full:
            self._keep(pieces)
            return b""
        if len(pieces) <= self.room:
            self.room -= len(pieces)
            return pieces
        self.full = True
        # The first byte may be the newline that ends the piece before: the head needs it.
        cut = pieces.rfind(b"\n", 0, max(self.room, 1)) + 1
        self._keep(pieces[cut:])
        return pieces[:cut]

    def tail(self) -> bytes:
        """The trace has ended: return the last pieces of it, as many as fit."""
        kept = b"".join(self._chunks)
        start = 0
        if len(kept) > self._tail or kept.startswith(b"\n"):
            start = kept.find(b"\n", max(0, len(kept) - self._tail - 1)) + 1 or len(kept)
        self.dropped += start
        self._chunks.clear()
        self._size = 0
        return kept[start:]

    def _keep(self, pieces: bytes) -> None:
        self._chunks.append(pieces)
        self._size += len(pieces)
        while self._chunks and self._size - len(self._chunks[0]) >= self._tail:
            first = self._chunks.popleft()
            self._size -= len(first)
            self.dropped += len(first)
