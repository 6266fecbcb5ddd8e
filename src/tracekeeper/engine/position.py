"""Where a reader of a container's log stands, and how it is found again in a new reading. Pure.

The engine's log is a sequence of entries in a file: a line, or a piece of 16 KiB of a longer one,
each with the time at which the daemon read it. Every reading of the log gives the same sequence,
so what has been taken is a prefix of it, and its length is all that exactness needs. Its checksum
tells whether a later reading does give the same.

Counting means reading the whole log again. `since` is no better, it makes the daemon decode the
whole file. So the last entries are asked for by `tail`, and the last one taken is looked for in
them: by its stream, its time, and how many entries of that stream had that time, for all pieces
of a long line carry the same. A tail is trusted only if it shows an earlier entry of that stream
first; otherwise it may begin between two pieces, and more of it is needed.

Times serve as names, not as an order, wherever the host's clock may have been set back: a tail
that misleads is noticed (`short`), or shows nothing until the whole log is counted at the end.
"""

from binascii import a2b_base64, b2a_base64
from typing import TypeAlias
from zlib import crc32

import msgspec

from tracekeeper.engine.frames import STDERR, STDOUT, Frame

STAMP_SIZE = 30
"""2026-11-23T02:29:16.123456789Z: RFC 3339 in UTC, always nine digits. A space follows."""


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """The last entry taken of one stream: the `count`-th with the time `stamp`."""

    stamp: bytes = b""
    count: int = 0


class Position(msgspec.Struct, frozen=True, array_like=True):
    """How much of a log has been taken: `seen` entries, the last of them of `stream`.

    `first` is the time of the log's very first entry, `crc` the CRC-32 of all entries taken, as
    frames. The output that is followed began after `began` entries: a container that was started
    before has older output in its log. `held` is output taken that may be the beginning of the
    end marker, `status` the exit status if the marker has been seen.
    """

    seen: int = 0
    first: bytes = b""
    stream: int = STDOUT
    out: Mark = Mark()
    err: Mark = Mark()
    crc: int = 0
    began: int = 0
    held: bytes = b""
    status: int | None = None

    @property
    def last(self) -> Mark:
        """The last entry taken."""
        return self.err if self.stream == STDERR else self.out

    def after(self, frames: list[Frame], raw: bytes) -> "Position":
        """The position when these entries (at least one), whose bytes are `raw`, have been taken
        as well."""
        streams = {stream for stream, _ in frames}
        return Position(
            seen=self.seen + len(frames),
            first=self.first or frames[0][1][:STAMP_SIZE],
            stream=frames[-1][0],
            out=_mark(self.out, STDOUT, frames) if STDOUT in streams else self.out,
            err=_mark(self.err, STDERR, frames) if STDERR in streams else self.err,
            crc=crc32(raw, self.crc),
            began=self.began,
        )

    def at_start(self) -> "Position":
        """The position from which on the container's next start is followed."""
        return msgspec.structs.replace(self, began=self.seen, held=b"", status=None)

    def encode(self) -> str:
        """The position as some hundred characters of ASCII; `decode` gives it back."""
        return b2a_base64(_encode(self), newline=False).decode()

    @staticmethod
    def decode(text: str) -> "Position":
        """The position that `encode` wrote. Raises ValueError for anything else."""
        try:
            return _decode(a2b_base64(text, strict_mode=True))
        except (ValueError, msgspec.DecodeError) as error:
            raise ValueError(f"{text!r} is no position in a log: {error}") from None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Position).decode


def difference(taken: Position, found: Position) -> str:
    """Where a log differs from what was `taken` of it, if a later reading `found` it to be that,
    up to the same entry or to an earlier end: a sentence, or nothing."""
    if found.seen and found.first != taken.first:
        return (
            f"the engine's log was altered: it begins at {found.first.decode()}, but began at"
            f" {taken.first.decode()} when it was read first"
        )
    if found.seen < taken.seen:
        return (
            f"the engine's log was altered: it ends after {found.seen:,} of the {taken.seen:,}"
            " entries that had been read from it"
        )
    if found.crc != taken.crc:
        return (
            f"the engine's log was altered: up to entry {taken.seen:,} it has the checksum"
            f" crc32:{found.crc:08x}, but had crc32:{taken.crc:08x} when it was read first"
        )
    return ""


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

    __slots__ = ("_anchored", "_count", "_mark", "_stream", "short")

    def __init__(self, position: Position) -> None:
        self._stream = position.stream
        self._mark = position.last
        self._anchored = False
        self._count = 0
        self.short = False

    def feed(self, frames: list[Frame]) -> int | None:
        """How many of these entries are not after the position; None if the position has not
        been found yet."""
        mark = self._mark
        for index, (stream, entry) in enumerate(frames, 1):
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
                return index
        return None


class WholeSearch:
    """Finds a position in a whole log by counting.

    Of a log that begins at another time (it was rotated, or damaged by a crash of its host) only
    what is newer than the position counts as new.
    """

    __slots__ = ("_passed", "_position", "_replaced", "short")

    def __init__(self, position: Position) -> None:
        self._position = position
        self._passed = 0
        self._replaced = False
        self.short = False

    def feed(self, frames: list[Frame]) -> int | None:
        """How many of these entries are not after the position; None if the position has not
        been found yet."""
        if not self._passed:
            self._replaced = not frames[0][1].startswith(self._position.first)
        missing = self._position.seen - self._passed
        self._passed += len(frames)
        if self._replaced:
            return self._older(frames)
        return missing if missing <= len(frames) else None

    def _older(self, frames: list[Frame]) -> int | None:
        for index, (_, entry) in enumerate(frames):
            if entry[:STAMP_SIZE] > self._position.last.stamp:
                return index
        return None


Search: TypeAlias = TailSearch | WholeSearch
