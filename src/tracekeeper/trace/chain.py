"""The way of output into the trace: masking, UTF-8, headers, limit; and its ledger's first lines.

output of a stream ─ masker ─ utf8 ─┐
output of a stream ─ masker ─ utf8 ─┼─ pieces ─ limit ─► trace bytes, to be appended
the runner's remarks ────── masker ─┘

Everything that is in a `Chain` but not yet in the trace is in memory alone, and bounded: less than
the longest secret, less than one piece per stream, and the tail of a limited trace.
"""

from typing import Self
from zlib import crc32

import msgspec

from tracekeeper.trace.format import HEADER_SIZE, Stream, header
from tracekeeper.trace.ledger import Changes, Hop
from tracekeeper.trace.limit import Limiter
from tracekeeper.trace.masker import Masker, Masks
from tracekeeper.trace.pieces import Pieces
from tracekeeper.trace.utf8 import Utf8


class Checkpoint(msgspec.Struct, frozen=True, array_like=True):
    """A place in a trace at which its chain held nothing back: all that another chain has to know
    to go on from there. No output is in it, so that it may be written to a disk.

    `source` is bytes and CRC-32 of what was written, `changes` the fields of `Changes`, `begun`
    and `open` are those of `Pieces`.
    """

    source: tuple[int, int]
    changes: tuple[int, ...]
    begun: tuple[int, ...] = ()
    open: bool = False


class _Filter:
    """What one stream's output passes by itself."""

    __slots__ = ("at", "masker", "stream", "utf8")

    def __init__(self, stream: int, masks: Masks) -> None:
        self.stream = stream
        self.masker = Masker(masks)
        self.utf8 = Utf8()
        self.at = 0
        """When its last output came."""


class _Counter:
    """Bytes and CRC of what passed one place."""

    __slots__ = ("bytes", "crc")

    def __init__(self, size: int = 0, crc: int = 0) -> None:
        self.bytes = size
        self.crc = crc

    def add(self, data: bytes) -> None:
        self.bytes += len(data)
        self.crc = crc32(data, self.crc)

    def hop(self, name: str) -> Hop:
        return Hop(name, self.bytes, self.crc)


class Chain:
    """Makes the trace of one job out of what its streams write.

    Every method that takes a time `at` wants microseconds since the epoch, and returns the bytes
    to append to the trace, often none. `limit` is the size in bytes beyond which only head and
    tail of the trace are kept.
    """

    __slots__ = (
        "_at",
        "_before",
        "_filters",
        "_limit",
        "_limiter",
        "_masked",
        "_masks",
        "_pieces",
        "_recorded",
        "_runner",
        "_source",
    )

    def __init__(self, masks: Masks, *, limit: int | None = None) -> None:
        self._masks = masks
        self._at = 0
        self._limit = limit or 0
        self._limiter = None if limit is None else Limiter(limit)
        self._filters: dict[int, _Filter] = {}
        self._pieces = Pieces()
        self._source = _Counter()
        self._recorded = _Counter()
        self._masked = 0
        self._runner = 0
        self._before = Changes()

    @classmethod
    def restore(cls, masks: Masks, recorded: Hop, checkpoint: Checkpoint) -> Self:
        """Go on for a chain without a limit that is gone, from a checkpoint of it."""
        chain = cls(masks)
        chain._before = before = Changes(*checkpoint.changes)
        chain._source = _Counter(*checkpoint.source)
        chain._recorded = _Counter(recorded.bytes, recorded.crc)
        chain._masked, chain._runner = before.masked, before.runner
        chain._pieces.headers, chain._pieces.newlines = before.headers, before.newlines
        chain._pieces.restore(checkpoint.begun, open=checkpoint.open)
        return chain

    def keep(self, tail: bytes) -> None:
        """The trace goes on with `tail`, which was made by a chain that is gone. How it came is not
        known any more, so that it counts as it is, and the source cannot be proven."""
        self._source.add(tail)
        self._recorded.add(tail)
        self._pieces.ended()

    def checkpoint(self) -> Checkpoint | None:
        """Where the chain stands, for `restore`. None as long as output is in memory alone (it may
        be the start of a secret, of a character or of a line), and once a limit was reached."""
        waits = any(not each.masker.settled or each.utf8.held for each in self._filters.values())
        if waits or self._pieces.waiting or (self._limiter and self._limiter.full):
            return None
        source = self._source.bytes, self._source.crc
        changes = msgspec.structs.astuple(self.changes)
        return Checkpoint(source, changes, self._pieces.begun, self._pieces.open)

    @property
    def source(self) -> Hop:
        """What was written, before anything was done to it; without the runner's remarks."""
        return self._source.hop("source")

    @property
    def recorded(self) -> Hop:
        """What was returned to be appended to the trace."""
        return self._recorded.hop("recorded")

    @property
    def changes(self) -> Changes:
        """Why `recorded` is not `source`, at this moment."""
        filters = self._filters.values()
        replaced = self._before.replaced + sum(each.utf8.replaced for each in filters)
        waiting = sum(each.masker.held + each.utf8.held for each in filters)
        limiter = self._limiter
        return Changes(
            masked=self._masked,
            utf8=2 * replaced,  # U+FFFD has three bytes
            headers=self._pieces.headers,
            newlines=self._pieces.newlines,
            runner=self._runner,
            limited=-limiter.dropped if limiter else 0,
            waiting=waiting + self._pieces.waiting + (limiter.waiting if limiter else 0),
            secrets=self._before.secrets + sum(each.masker.secrets for each in filters),
            replaced=replaced,
        )

    @property
    def pending(self) -> bytes:
        """What is not in the trace yet of the script's unfinished line, masked."""
        return self._pieces.pending(Stream.SCRIPT)

    @property
    def held(self) -> bool:
        """Whether there is more of that line that cannot be shown: it may become a secret."""
        script = self._filters.get(Stream.SCRIPT)
        return bool(script and (script.masker.held or script.utf8.held))

    def write(self, data: bytes, *, stream: int = Stream.SCRIPT, at: int) -> bytes:
        """Take output of `stream`."""
        self._source.add(data)
        filter_ = self._filter(stream)
        filter_.at = self._at = at
        masker = filter_.masker
        before = masker.held + len(data)
        masked = masker.feed(data)
        self._masked += len(masked) + masker.held - before
        return self._record(self._pieces.add(filter_.utf8.feed(masked), stream=stream, at=at))

    def note(self, text: str, at: int) -> bytes:
        """Add lines of the runner's own, after what is unfinished of other streams."""
        self._at = at
        masked = self._masked_whole(text if text.endswith("\n") else text + "\n")
        self._runner += len(masked)
        before = self._pieces.flush()
        return self._record(before + self._pieces.add(masked, stream=Stream.RUNNER, at=at))

    def masked(self, text: str) -> str:
        """`text` as it may be shown beside the trace: what a job is told to have failed of."""
        return self._masked_whole(text).decode("utf-8", "replace")

    def flush(self) -> bytes:
        """Put unfinished lines into the trace as far as they are known, so that a prompt shows."""
        return self._record(self._pieces.flush())

    def preview(self, data: bytes) -> tuple[bytes, bool]:
        """How `data` of the script would show behind what was written, without recording it: the
        unfinished line, masked; and whether its end is still held back."""
        script = self._filter(Stream.SCRIPT)
        masker, utf8 = script.masker.copy(), Utf8()
        text = utf8.feed(masker.feed(data))
        return self.pending + text, bool(masker.held or utf8.held)

    def drain(self) -> bytes:
        """A script has ended: put all that was held back into the trace, and unfinished lines."""
        parts = [self._drain(filter_) for filter_ in self._filters.values()]
        return b"".join((*parts, self.flush()))

    def finish(self, at: int) -> bytes:
        """All output has ended, for good: return all that waited."""
        self._at = at
        parts = [self.drain(), self._record(self._pieces.finish(at))]
        if self._limiter and self._limiter.full:
            parts.append(self._tail(self._limiter))
        return b"".join(parts)

    def _masked_whole(self, text: str) -> bytes:
        masker = Masker(self._masks)
        return masker.feed(text.encode("utf-8", "replace")) + masker.finish()

    def _filter(self, stream: int) -> _Filter:
        if stream not in self._filters:
            self._filters[stream] = _Filter(stream, self._masks)
        return self._filters[stream]

    def _drain(self, filter_: _Filter) -> bytes:
        held = filter_.masker.held
        masked = filter_.masker.finish()
        self._masked += len(masked) - held
        text = filter_.utf8.feed(masked) + filter_.utf8.finish()
        return self._record(self._pieces.add(text, stream=filter_.stream, at=filter_.at))

    def _record(self, pieces: bytes) -> bytes:
        if not self._limiter:
            return self._count(pieces)
        was_full = self._limiter.full
        head = self._count(self._limiter.admit(pieces))
        if was_full or not self._limiter.full:
            return head
        return head + self._remark(
            f"This log comes close to its limit of {self._limit:,} bytes. The job goes on; from"
            " here on only the end of its log is kept, and it will follow when the job is done."
        )

    def _tail(self, limiter: Limiter) -> bytes:
        tail = limiter.tail()
        remark = b""
        if limiter.dropped:
            remark = self._remark(
                f"{limiter.dropped:,} bytes of the log are left out here, because of its limit of"
                f" {self._limit:,} bytes. The job was not disturbed by that. The log's end:"
            )
        return remark + self._count(tail)

    def _remark(self, sentence: str) -> bytes:
        """A line of the runner's that the limit does not count."""
        line = sentence.encode() + b"\n"
        self._runner += len(line)
        self._pieces.headers += HEADER_SIZE
        return self._count(header(self._at, Stream.RUNNER) + line)

    def _count(self, recorded: bytes) -> bytes:
        self._recorded.add(recorded)
        return recorded
