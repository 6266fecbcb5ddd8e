"""Following a container's log: each byte exactly once, whatever happens to the stream. Pure.

The end of a stream is a hint. The machine then wants to know whether the container runs. If it
does, reading goes on where it stopped (position.py). If not, the end marker in the log proves
that the output is complete; if that is missing, the machine wants the rest of the log.

What came in one answer is the log as it is. After a break it might not be: a host that crashed,
a rotation or an editor may have changed the part that was read before. So then, and whenever the
marker is missing, all of the log is read a second time and its checksum compared. `TRANSITIONS`
is the whole of it.
"""

from datetime import UTC, datetime
from enum import Enum, auto
from functools import lru_cache
from typing import Self, TypeAlias

import msgspec

from tracekeeper.engine.frames import STDOUT, Frame
from tracekeeper.engine.marker import EndMarker
from tracekeeper.engine.position import STAMP_SIZE, Position, difference
from tracekeeper.engine.reading import Reading
from tracekeeper.errors import EngineError

_MILLISECOND = len("2026-11-23T02:29:16.123")
_START = Position()


class Piece(msgspec.Struct, frozen=True):
    """Output of one stream, and when the daemon read it, in microseconds since the epoch.

    Entries of one millisecond are joined; the time is that of the first.
    """

    stream: int
    at: int
    data: bytes


class Read(msgspec.Struct, frozen=True):
    """Read the log with times: the last `tail` entries (None: all), and go on if `follow`."""

    tail: int | None
    follow: bool


class Ask(msgspec.Struct, frozen=True):
    """Ask the engine whether the container runs."""


Want: TypeAlias = Read | Ask


class State(Enum):
    """What the machine is at."""

    FOLLOW = auto()  # reading what is there and what comes
    ASK = auto()  # the stream has ended: does the container run?
    REREAD = auto()  # it does not, and the marker is missing: the rest of the log
    VERIFY = auto()  # all of the log a second time: is it what was taken?
    ENDED = auto()


class Event(Enum):
    """What can happen to the machine, apart from bytes."""

    END = auto()  # the answer came to its proper end
    CUT = auto()  # the connection broke
    SHORT = auto()  # the tail began after the position, or may have
    RENEWED = auto()  # we broke it off ourselves, before a middlebox would have forgotten it
    RUNNING = auto()
    EXITED = auto()  # the container does not run, and the marker is missing
    BROKEN = auto()  # it does not, the marker has been seen, but the reading was broken off once
    PROVEN = auto()  # it does not, and all was read up to the marker: at once, or verified


TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.FOLLOW, Event.END): State.ASK,
    (State.FOLLOW, Event.CUT): State.ASK,
    (State.FOLLOW, Event.SHORT): State.FOLLOW,
    (State.FOLLOW, Event.RENEWED): State.FOLLOW,
    (State.ASK, Event.RUNNING): State.FOLLOW,
    (State.ASK, Event.EXITED): State.REREAD,
    (State.ASK, Event.BROKEN): State.VERIFY,
    (State.ASK, Event.PROVEN): State.ENDED,
    (State.REREAD, Event.SHORT): State.REREAD,
    (State.REREAD, Event.CUT): State.REREAD,
    (State.REREAD, Event.END): State.VERIFY,
    (State.VERIFY, Event.SHORT): State.VERIFY,
    (State.VERIFY, Event.CUT): State.VERIFY,
    (State.VERIFY, Event.END): State.ENDED,
    (State.VERIFY, Event.PROVEN): State.ENDED,
}


class Follow:
    """Log bytes in, output out. Do what `wants` says, and report what came of it.

    `wants` is None when the log has been taken to its end; `doubt` and `altered` then say in a
    sentence why output may be missing, and where the log is no longer what was taken of it. The
    end marker itself is never output.

    A second reading of a log that was taken to its end asks for as many lines of it as it gave. A
    log with a line that cannot be read, which a full disk leaves, then begins later.

    `Follow(nonce, position)` is for output that begins at `position`, behind that of an earlier
    start of the container. `Follow.resume` goes on in the midst of it.
    """

    __slots__ = ("_all_taken", "_altered", "_broken", "_marker", "_reading", "_second", "_state")

    def __init__(self, nonce: str, position: Position = _START) -> None:
        self._marker = EndMarker(nonce)
        self._reading = Reading(position.at_start())
        self._second: Reading | None = None
        self._state = State.FOLLOW
        self._broken = False
        self._all_taken = False
        self._altered = ""

    @classmethod
    def resume(cls, nonce: str, position: Position) -> Self:
        """Go on for another `Follow`, of another process perhaps, that had come to `position`."""
        follow = cls(nonce)
        follow._marker.held, follow._marker.status = position.held, position.status
        follow._reading = Reading(position)
        follow._broken = True
        return follow

    @property
    def state(self) -> State:
        """Where the machine stands."""
        return self._state

    @property
    def position(self) -> Position:
        """What has been taken so far."""
        marker = self._marker
        return msgspec.structs.replace(
            self._reading.position, held=marker.held, status=marker.status
        )

    @property
    def exit_status(self) -> int | None:
        """The exit status in the end marker; None until it has been seen."""
        return self._marker.status

    @property
    def wants(self) -> Want | None:
        """What is to be done next; None at the end."""
        if self._state is State.ENDED:
            return None
        if self._state is State.ASK:
            return Ask()
        tail = self._current.tail
        if self._second is not None:
            if tail is not None:
                tail += self._unverified(self._second)
            elif self._all_taken:
                tail = self._reading.position.seen
        return Read(tail, follow=self._state is State.FOLLOW)

    @property
    def taken(self) -> int:
        """How many entries have been read; it changes where reading gets on, a second time too."""
        second = self._second.position.seen if self._second is not None else 0
        return self._reading.position.seen + second

    @property
    def settled(self) -> bool:
        """Whether this reading has reached the position: what comes next is new."""
        return self._current.settled

    @property
    def short(self) -> bool:
        """Whether this reading is of no use: break it off, and do what `wants` says then."""
        return self._current.short

    @property
    def doubt(self) -> str:
        """Why output may be missing, as a sentence; empty if it is all there."""
        if self._state is State.ENDED and self._marker.status is None:
            return "the engine's log ends without the script's end marker"
        return ""

    @property
    def altered(self) -> str:
        """Where the log differs from what was taken of it, as a sentence; empty if it does not, or
        was not looked at again."""
        return self._altered

    def feed(self, data: bytes) -> list[Piece]:
        """The output in these bytes of the log. Raises EngineError for what is no log."""
        if self._second is None:
            frames = self._reading.feed(data)
        else:
            frames = self._verify(self._second, data)
        return self._pieces(frames) if frames else []

    def ended(self, *, broken: bool) -> list[Piece]:
        """The reading came to its end, or broke off. Gives output that had been held back."""
        if self.short:
            self._move(Event.SHORT)
        elif self._state is State.VERIFY and not broken:
            self._move(self._after_all())
        elif self._state is State.VERIFY and self._second is None and self.exit_status is not None:
            self._move(Event.PROVEN)
        else:
            self._broken = self._broken or broken
            self._all_taken = self._state is State.FOLLOW and not broken
            self._move(Event.CUT if broken else Event.END)
        return self._held_back() if self._state is State.ENDED else []

    def renewed(self) -> None:
        """The reading was broken off by its reader, to go on over a new connection."""
        self._move(Event.RENEWED)

    def mistrust(self) -> None:
        """Read the log a second time in the end, as after a break."""
        self._broken = True

    def answered(self, *, running: bool) -> None:
        """The engine said whether the container runs."""
        if running:
            self._broken = True
            self._move(Event.RUNNING)
        elif self._marker.status is None:
            self._move(Event.EXITED)
        else:
            self._move(Event.BROKEN if self._broken else Event.PROVEN)

    @property
    def _current(self) -> Reading:
        return self._second or self._reading

    def _unverified(self, second: Reading) -> int:
        """How many of the entries taken have not been read a second time."""
        return self._reading.position.seen - second.position.seen

    def _move(self, event: Event) -> None:
        self._state = TRANSITIONS[self._state, event]
        self._current.again()
        if self._state is State.VERIFY and self._second is None:
            self._second = Reading(_START)

    def _verify(self, second: Reading, data: bytes) -> list[Frame]:
        """Read entries a second time. What follows after those that were taken is new."""
        missing = self._unverified(second)
        frames = second.feed(data, most=missing)
        if self._unverified(second):
            return []
        self._compare(second)
        self._reading.go_on(second, frames[missing:])
        self._second = None
        return frames[missing:]

    def _compare(self, second: Reading) -> None:
        found = difference(self._reading.position, second.position)
        self._altered = self._altered or found

    def _after_all(self) -> Event:
        """The second reading has come to the log's end."""
        second = self._second
        if second is None:
            return Event.END
        if second.tail is not None and not second.settled:
            second.again(whole=True)
            return Event.SHORT
        self._compare(second)
        return Event.END

    def _pieces(self, frames: list[Frame]) -> list[Piece]:
        pieces: list[Piece] = []
        texts: list[bytes] = []
        current, moment, millisecond = 0, b"", b""
        for stream, entry in frames:
            if stream != current or not entry.startswith(millisecond):
                self._join(current, moment, texts, pieces)
                texts = []
                current, moment = stream, entry[:STAMP_SIZE]
                millisecond = moment[:_MILLISECOND]
            texts.append(entry[STAMP_SIZE + 1 :])
        self._join(current, moment, texts, pieces)
        return pieces

    def _join(self, stream: int, moment: bytes, texts: list[bytes], pieces: list[Piece]) -> None:
        data = b"".join(texts)
        if stream == STDOUT:
            data = self._marker.scan(data)
        if data:
            pieces.append(Piece(stream, microseconds(moment), data))

    def _held_back(self) -> list[Piece]:
        held = self._marker.flush()
        return (
            [Piece(STDOUT, microseconds(self._reading.position.last.stamp), held)] if held else []
        )


def microseconds(stamp: bytes) -> int:
    """The time of a log entry in microseconds since the epoch.

    Raises EngineError if the entry does not begin with a time as the engine writes it.
    """
    try:
        return _second(stamp[:19]) * 1_000_000 + int(stamp[20:26])
    except ValueError:
        raise EngineError(f"the engine's log has an entry without its time: {stamp!r}") from None


@lru_cache(maxsize=4)
def _second(text: bytes) -> int:
    moment = datetime.fromisoformat(text.decode("ascii", "replace"))
    return int(moment.replace(tzinfo=UTC).timestamp())
