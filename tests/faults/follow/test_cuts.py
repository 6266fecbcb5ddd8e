"""Streams of a container's log cut at random: each byte of it arrives once, whatever happens.

The daemon is a model, written from what dockerd 20.10 was seen to do: it gathers a line up to a
newline or 16 KiB, gives all pieces of a line the time of the first, replaces invalid UTF-8 byte
by byte, and adds entries to a file that every reading gives in the same order.

The suite has to catch these planted bugs (`PLANTED`):
- a tail that begins in the middle of a long line is taken for complete
- entries of one time are taken for one entry
- half a frame from before the break is put before the bytes after it
- the position is looked for in the stream of the last entry only by its stream's newest time,
  as `since` would do, so that what came at the same time is dropped
"""

import codecs
import random
from collections.abc import Callable, Iterator
from struct import pack

import pytest

from tracekeeper.engine import follow as follow_module
from tracekeeper.engine import position as position_module
from tracekeeper.engine.follow import Ask, Follow, Read
from tracekeeper.engine.frames import STDERR, STDOUT, Frame
from tracekeeper.engine.marker import prefix
from tracekeeper.engine.position import STAMP_SIZE, Mark, Position, TailSearch

NONCE = "0123456789abcdef" * 2
PIECE = 16 * 1024
SAMPLE, FULL = 500, 20_000


def replaced_byte(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "\ufffd", error.start + 1


codecs.register_error("byte-by-byte", replaced_byte)


class Daemon:
    """A log that grows, and readings of it that break."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.now = 1_795_000_000_000_000_000
        self.entries: list[Frame] = []
        self.written = {STDOUT: b"", STDERR: b""}
        self.there = 0  # entries that a reader can see by now

    def write(self, stream: int, data: bytes) -> None:
        """A container writes; what follows its last newline is an unfinished line at its end."""
        for line in data.splitlines(keepends=True) if data else []:
            self.now += self.chance.choice((0, 1, 1000, 1_000_000, 700_000_000))
            stamp = self._stamp()
            for start in range(0, len(line), PIECE):
                text = line[start : start + PIECE].decode("utf-8", "byte-by-byte").encode()
                self.entries.append((stream, stamp + b" " + text))
                self.written[stream] += text

    def _stamp(self) -> bytes:
        second, nanosecond = divmod(self.now, 1_000_000_000)
        minute, second = divmod(second, 60)
        return b"2026-11-23T%02d:%02d:%02d.%09dZ" % (
            minute // 60 % 24,
            minute % 60,
            second,
            nanosecond,
        )

    def grow(self) -> None:
        self.there = min(len(self.entries), self.there + self.chance.randrange(1, 40))

    @property
    def running(self) -> bool:
        return self.there < len(self.entries)

    def read(self, want: Read) -> Iterator[bytes]:
        """The bytes of one reading, growing while it is followed."""
        position = 0 if want.tail is None else max(0, self.there - want.tail)
        while True:
            for stream, entry in self.entries[position : self.there]:
                yield pack(">BxxxI", stream, len(entry)) + entry
            position = self.there
            if not want.follow or not self.running:
                return
            self.grow()


def play(daemon: Daemon, follow: Follow, *, cuts: int) -> dict[int, bytes]:
    """Follow a log over `cuts` breaks; the output of each stream."""
    output = {STDOUT: b"", STDERR: b""}
    steps = 0
    while (want := follow.wants) is not None:
        steps += 1
        assert steps < 1000, "no end"
        if isinstance(want, Ask):
            follow.answered(running=daemon.running)
            continue
        data = daemon.read(want)
        broken = cuts > 0
        if broken:
            cuts -= 1
            data = iter([cut(b"".join(data), daemon.chance)])
        pieces = [piece for chunk in split(data, daemon.chance) for piece in taken(follow, chunk)]
        # A daemon that shuts down ends a followed reading properly, wherever it stands.
        pieces += follow.ended(broken=broken and not (want.follow and daemon.chance.random() < 0.3))
        for piece in pieces:
            output[piece.stream] += piece.data
    return output


def taken(follow: Follow, chunk: bytes) -> list[follow_module.Piece]:
    return [] if follow.short else follow.feed(chunk)


def cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def split(chunks: Iterator[bytes], chance: random.Random) -> Iterator[bytes]:
    for chunk in chunks:
        while chunk:
            size = chance.choice((1, 7, 100, 5000, 100_000))
            yield chunk[:size]
            chunk = chunk[size:]


def some_output(chance: random.Random) -> bytes:
    return chance.choice(
        (
            b"a line\n",
            b"\n",
            b"same line\n" * chance.randrange(1, 200),
            b"x" * chance.choice((PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 5 * PIECE + 7)) + b"\n",
            "prompt ✓ ".encode() * chance.randrange(1, 3000) + b"\n",
            bytes(chance.choices(b"\x80\xc3\xe2\x9c\xff a", k=20)) + b"\n",
            prefix(NONCE)[: chance.randrange(1, 40)] + b"\n",
        )
    )


def exact(seed: int, plant: Callable[[], object] = lambda: None) -> bool:
    """Whether a log made from `seed` arrives exactly."""
    chance = random.Random(seed)
    follow_module.FIRST_TAIL = chance.choice((1, 3, 20, 1000))
    daemon = Daemon(chance)
    streams = chance.choice(((STDOUT,), (STDOUT, STDERR)))
    for _ in range(chance.randrange(1, 60)):
        daemon.write(chance.choice(streams), some_output(chance))
    end = prefix(NONCE) + b"0\n"
    daemon.write(STDOUT, chance.choice((b"", b"unfinished ", b"y" * (PIECE - 20))) + end)
    plant()
    follow = Follow(NONCE)
    try:
        output = play(daemon, follow, cuts=chance.randrange(6))
    except AssertionError:
        return False
    expected = {**daemon.written, STDOUT: daemon.written[STDOUT].replace(end, b"")}
    return output == expected and follow.doubt == "" and follow.exit_status == 0


@pytest.fixture(autouse=True)
def _first_tail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow_module, "FIRST_TAIL", follow_module.FIRST_TAIL)


@pytest.mark.timeout(1800)
def test_random_cuts(faults_seed: int, faults_full: bool) -> None:
    count = FULL if faults_full else SAMPLE
    wrong = [seed for seed in range(faults_seed, faults_seed + count) if not exact(seed)]
    assert wrong == []


def test_clock_of_the_host_set_back(faults_seed: int) -> None:
    for seed in range(faults_seed, faults_seed + 100):
        chance = random.Random(seed)
        daemon = Daemon(chance)
        for _ in range(40):
            daemon.write(STDOUT, some_output(chance))
            if chance.random() < 0.2:
                daemon.now -= chance.randrange(3_600_000_000_000)
        daemon.write(STDOUT, prefix(NONCE) + b"0\n")
        follow = Follow(NONCE)
        output = play(daemon, follow, cuts=3)
        assert output[STDOUT] + prefix(NONCE) + b"0\n" == daemon.written[STDOUT], seed
        assert follow.doubt == ""


# -------------------------------------------------------------------------------- planted bugs


def trust_any_tail(monkeypatch: pytest.MonkeyPatch) -> None:
    original = TailSearch.__init__

    def planted(self: TailSearch, position: Position) -> None:
        original(self, position)
        self._anchored = True

    monkeypatch.setattr(TailSearch, "__init__", planted)


def one_entry_per_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def planted(before: Mark, stream: int, frames: list[Frame]) -> Mark:
        stamp = [entry[:STAMP_SIZE] for other, entry in frames if other == stream][-1]
        return Mark(stamp, 1)

    monkeypatch.setattr(position_module, "_mark", planted)


def keep_half_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Follow._begin_reading

    def planted(self: Follow) -> None:
        decoder = getattr(self, "_decoder", None)
        original(self)
        self._decoder = decoder or self._decoder

    monkeypatch.setattr(Follow, "_begin_reading", planted)


def drop_what_has_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def planted(self: TailSearch, frames: list[Frame]) -> list[Frame] | None:
        for index, (_, entry) in enumerate(frames):
            if entry[:STAMP_SIZE] > self._mark.stamp:
                return frames[index:]
        return None

    monkeypatch.setattr(TailSearch, "feed", planted)


PLANTED = [trust_any_tail, one_entry_per_time, keep_half_a_frame, drop_what_has_the_same_time]


@pytest.mark.parametrize("plant", PLANTED)
def test_planted_bugs_are_caught(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch, faults_seed: int
) -> None:
    plant(monkeypatch)
    assert not all(exact_or_refused(seed) for seed in range(faults_seed, faults_seed + SAMPLE))


def exact_or_refused(seed: int) -> bool:
    try:
        return exact(seed)
    except Exception:
        return False
