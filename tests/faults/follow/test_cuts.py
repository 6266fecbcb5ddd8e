"""Streams of a container's log cut at random: each byte of it arrives once, whatever happens.

Between two cuts the follower may be killed, and another goes on from the position that it had put
in writing. Nor is the log sacred: where it is changed behind a follower's back, the follower says
so, or what it gives is the log as it was, or as it is now.

The daemon is a model, written from what dockerd 20.10 was seen to do: it gathers a line up to a
newline or 16 KiB, gives all pieces of a line the time of the first, replaces invalid UTF-8 byte
by byte, and adds entries to a file that every reading gives in the same order.

The suite has to catch these planted bugs (`PLANTED`):
- a tail that begins in the middle of a long line is taken for complete
- entries of one time are taken for one entry
- half a frame from before the break is put before the bytes after it
- the position is looked for in the stream of the last entry only by its stream's newest time,
  as `since` would do, so that what came at the same time is dropped
- a position in writing lacks the beginning of an end marker
- after a break, a log that looks complete is believed without a second reading
- the second reading counts entries only
"""

import codecs
import random
from collections.abc import Callable, Iterator
from struct import pack

import msgspec
import pytest

from tracekeeper.engine import follow as follow_module
from tracekeeper.engine import position as position_module
from tracekeeper.engine import reading as reading_module
from tracekeeper.engine.follow import TRANSITIONS, Ask, Event, Follow, Read, State
from tracekeeper.engine.frames import STDERR, STDOUT, Frame
from tracekeeper.engine.marker import prefix
from tracekeeper.engine.position import STAMP_SIZE, Mark, Position, TailSearch
from tracekeeper.engine.reading import Reading

NONCE = "0123456789abcdef" * 2
PIECE = 16 * 1024
END = prefix(NONCE) + b"0\n"
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
        self.altered = False
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


class Player:
    """Follows a log over `cuts` breaks and `deaths` of the follower."""

    def __init__(self, daemon: Daemon, *, cuts: int = 0, deaths: int = 0) -> None:
        self.daemon = daemon
        self.cuts = cuts
        self.deaths = deaths
        self.follow = Follow(NONCE)
        self.output = {STDOUT: b"", STDERR: b""}
        self.alter: Callable[[], object] = lambda: None

    def play(self) -> "Player":
        steps = 0
        while (want := self.follow.wants) is not None:
            steps += 1
            assert steps < 1000, "no end"
            if isinstance(want, Ask):
                self.follow.answered(running=self.daemon.running)
            else:
                self._read(want)
            if self.daemon.chance.random() < 0.2:
                self.alter()
        return self

    def _read(self, want: Read) -> None:
        chance = self.daemon.chance
        data = self.daemon.read(want)
        broken = self.cuts > 0
        if broken:
            self.cuts -= 1
            data = iter([cut(b"".join(data), chance)])
        for chunk in split(data, chance):
            self._take(taken(self.follow, chunk))
            if self.deaths and chance.random() < (0.5 if self.follow.position.held else 0.1):
                self._die()
                return
        # A daemon that shuts down ends a followed reading properly, wherever it stands.
        proper = want.follow and chance.random() < 0.3
        self._take(self.follow.ended(broken=broken and not proper))

    def _take(self, pieces: list[follow_module.Piece]) -> None:
        for piece in pieces:
            self.output[piece.stream] += piece.data

    def _die(self) -> None:
        self.deaths -= 1
        self.follow = Follow.resume(NONCE, Position.decode(self.follow.position.encode()))

    @property
    def green(self) -> bool:
        follow = self.follow
        return follow.doubt == follow.altered == "" and follow.exit_status == 0


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


def exact(seed: int) -> bool:
    """Whether a log made from `seed` arrives exactly."""
    chance = random.Random(seed)
    daemon = some_log(chance)
    player = Player(daemon, cuts=chance.randrange(6), deaths=chance.choice((0, 0, 1, 4)))
    try:
        player.play()
    except AssertionError:
        return False
    return player.green and player.output == content(daemon)


def some_log(chance: random.Random) -> Daemon:
    reading_module.FIRST_TAIL = chance.choice((1, 3, 20, 1000))
    daemon = Daemon(chance)
    streams = chance.choice(((STDOUT,), (STDOUT, STDERR)))
    for _ in range(chance.randrange(1, 60)):
        daemon.write(chance.choice(streams), some_output(chance))
    daemon.write(STDOUT, chance.choice((b"", b"unfinished ", b"y" * (PIECE - 20))) + END)
    return daemon


def content(daemon: Daemon) -> dict[int, bytes]:
    """The output that the log holds."""
    found = {STDOUT: b"", STDERR: b""}
    for stream, entry in daemon.entries:
        found[stream] += entry[STAMP_SIZE + 1 :]
    return {**found, STDOUT: found[STDOUT].replace(END, b"", 1)}


def honest(seed: int) -> bool:
    """Whether a follower whose log is changed says so, or gives one log or the other."""
    chance = random.Random(seed)
    daemon = some_log(chance)
    before = content(daemon)
    player = Player(daemon, cuts=chance.randrange(4), deaths=chance.choice((0, 1)))
    player.alter = lambda: alter(daemon)
    try:
        player.play()
    except AssertionError:
        return False
    return not player.green or player.output in (before, content(daemon))


def alter(daemon: Daemon) -> None:
    """Change the log once, as a crash of its host, a rotation or an editor would."""
    chance, entries = daemon.chance, daemon.entries
    if daemon.altered or not entries:
        return
    daemon.altered = True
    at = chance.randrange(len(entries))
    stream, entry = entries[at]
    change = chance.choice(("byte", "lost", "twice", "truncated", "rotated"))
    if change == "byte":
        entries[at] = stream, entry[:-1] + b"?"
    elif change == "lost":
        del entries[at]
    elif change == "twice":
        entries.insert(at, (stream, entry))
    elif change == "truncated":
        del entries[at:]
    else:
        del entries[:at]
    daemon.there = min(daemon.there, len(entries))


@pytest.fixture(autouse=True)
def _first_tail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_module, "FIRST_TAIL", reading_module.FIRST_TAIL)


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
        daemon.write(STDOUT, END)
        player = Player(daemon, cuts=3).play()
        assert player.output == content(daemon), seed
        assert player.green


@pytest.mark.timeout(1800)
def test_logs_changed_behind_our_back(faults_seed: int, faults_full: bool) -> None:
    count = FULL if faults_full else SAMPLE
    wrong = [seed for seed in range(faults_seed, faults_seed + count) if not honest(seed)]
    assert wrong == []


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
    original = Reading.again

    def planted(self: Reading, *, whole: bool = False) -> None:
        decoder = getattr(self, "_decoder", None)
        original(self, whole=whole)
        self._decoder = decoder or self._decoder

    monkeypatch.setattr(Reading, "again", planted)


def drop_what_has_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def planted(self: TailSearch, frames: list[Frame]) -> int | None:
        for index, (_, entry) in enumerate(frames):
            if entry[:STAMP_SIZE] > self._mark.stamp:
                return index
        return None

    monkeypatch.setattr(TailSearch, "feed", planted)


def forget_what_was_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Position.encode

    def planted(self: Position) -> str:
        return original(msgspec.structs.replace(self, held=b""))

    monkeypatch.setattr(Position, "encode", planted)


def believe_the_first_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TRANSITIONS, (State.ASK, Event.BROKEN), State.ENDED)


def count_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def planted(taken: Position, found: Position) -> str:
        return "" if found.seen == taken.seen else "fewer"

    monkeypatch.setattr(follow_module, "difference", planted)


PLANTED = [
    (trust_any_tail, exact),
    (one_entry_per_time, exact),
    (keep_half_a_frame, exact),
    (drop_what_has_the_same_time, exact),
    (forget_what_was_held_back, exact),
    (believe_the_first_reading, honest),
    (count_only, honest),
]


@pytest.mark.parametrize(("plant", "holds"), PLANTED)
def test_planted_bugs_are_caught(
    plant: Callable[[pytest.MonkeyPatch], None],
    holds: Callable[[int], bool],
    monkeypatch: pytest.MonkeyPatch,
    faults_seed: int,
) -> None:
    plant(monkeypatch)
    seeds = range(faults_seed, faults_seed + FULL)
    assert not all(holds_or_refused(holds, seed) for seed in seeds)


def holds_or_refused(holds: Callable[[int], bool], seed: int) -> bool:
    try:
        return holds(seed)
    except Exception:
        return False
