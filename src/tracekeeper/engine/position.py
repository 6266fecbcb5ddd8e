"""Where a reader of a container's log stands, and how it is found again in a new reading. Pure.

The engine's log is a sequence of entries in a file: a line, or a piece of 16 KiB of a longer one,
each with the time at which the daemon read it. Every reading of the log gives the same sequence,
so what has been taken is a prefix of it, and its length is all that exactness needs.

Counting means reading the whole log again. `since` is no better, it makes the daemon decode the
whole file. So the last entries are asked for by `tail`, and the last one taken is looked for in
them: by its stream, its time, and how many entries of that stream had that time, for all pieces
of a long line carry the same. A tail is trusted only if it shows an earlier entry of that stream
first; otherwise it may begin between two pieces, and more of it is needed.

Times serve as names, not as an order, wherever the host's clock may have been set back: a tail
that misleads is noticed (`short`), or shows nothing until the whole log is counted at the end.
"""

from typing import TypeAlias

import msgspec

from tracekeeper.engine.frames import STDERR, STDOUT, Frame

STAMP_SIZE = 30
"""2026-11-23T02:29:16.123456789Z: RFC 3339 in UTC, always nine digits. A space follows."""

LOST = "the engine's log no longer holds all that had been read from it"


class Mark(msgspec.Struct, frozen=True):
    """The last entry taken of one stream: the `count`-th with the time `stamp`."""

    stamp: bytes = b""
    count: int = 0


class Position(msgspec.Struct, frozen=True):
    """How much of a log has been taken: `seen` entries, the last of them of `stream`.

    `first` is the time of the log's very first entry.
    """

    seen: int = 0
    first: bytes = b""
    stream: int = STDOUT
    out: Mark = Mark()
    err: Mark = Mark()

    @property
    def last(self) -> Mark:
        """The last entry taken."""
        return self.err if self.stream == STDERR else self.out

    def after(self, frames: list[Frame]) -> "Position":
        """The position when these entries (at least one) have been taken as well."""
        streams = {stream for stream, _ in frames}
        return Position(
            seen=self.seen + len(frames),
            first=self.first or frames[0][1][:STAMP_SIZE],
            stream=frames[-1][0],
            out=_mark(self.out, STDOUT, frames) if STDOUT in streams else self.out,
            err=_mark(self.err, STDERR, frames) if STDERR in streams else self.err,
        )


def _mark(before: Mark, stream: int, frames: list[Frame]) -> Mark:
    """The last of the entries of `stream`, of which there is at least one."""
    stamp, count = b"", 0
    for other, entry in reversed(frames):
        if other != stream:
            continue
        stamp = stamp or entry[:STAMP_SIZE]
        if not entry.startswith(stamp):
            return Mark(stamp, count)
        count += 1
    return Mark(stamp, count + before.count if stamp == before.stamp else count)


class TailSearch:
    """Looks for a position in the last entries of a log.

    `short` is set when this tail cannot tell: it begins after the position, or may do so.
    """

    __slots__ = ("_anchored", "_count", "_mark", "_stream", "doubt", "short")

    def __init__(self, position: Position) -> None:
        self._stream = position.stream
        self._mark = position.last
        self._anchored = False
        self._count = 0
        self.short = False
        self.doubt = ""

    def feed(self, frames: list[Frame]) -> list[Frame] | None:
        """The entries after the position, or None as long as it has not been found."""
        mark = self._mark
        for index, (stream, entry) in enumerate(frames):
            if stream != self._stream:
                continue
            stamp = entry[:STAMP_SIZE]
            if stamp < mark.stamp:
                self._anchored = True
                continue
            if stamp > mark.stamp or not self._anchored:
                self.short = True
                return None
            self._count += 1
            if self._count == mark.count:
                return frames[index + 1 :]
        return None


class WholeSearch:
    """Finds a position in a whole log by counting.

    A log that is not the one that was read (rotated, or damaged by a crash of the daemon) gives
    `doubt`; of such a log only what is newer than the position counts as new.
    """

    __slots__ = ("_passed", "_position", "_replaced", "doubt", "short")

    def __init__(self, position: Position) -> None:
        self._position = position
        self._passed = 0
        self._replaced = False
        self.short = False
        self.doubt = ""

    def feed(self, frames: list[Frame]) -> list[Frame] | None:
        """The entries after the position, or None as long as it has not been found."""
        if not self._passed and not frames[0][1].startswith(self._position.first):
            self._replaced = True
            self.doubt = LOST
        missing = self._position.seen - self._passed
        self._passed += len(frames)
        if self._replaced:
            return self._newer(frames)
        if missing > len(frames):
            return None
        if not frames[missing - 1][1].startswith(self._position.last.stamp):
            self.doubt = LOST
        return frames[missing:]

    def _newer(self, frames: list[Frame]) -> list[Frame] | None:
        for index, (_, entry) in enumerate(frames):
            if entry[:STAMP_SIZE] > self._position.last.stamp:
                return frames[index:]
        return None


Search: TypeAlias = TailSearch | WholeSearch
