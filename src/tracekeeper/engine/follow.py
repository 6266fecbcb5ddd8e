"""Following a container's log: each byte exactly once, whatever happens to the stream. Pure.

The end of a stream is a hint. The machine then wants to know whether the container runs. If it
does, reading goes on where it stopped (position.py). If not, the end marker in the log proves
that the output is complete; if that is missing, the machine wants the rest of the log, and at
last all of it again. `TRANSITIONS` is the whole of it.
"""

from datetime import UTC, datetime
from enum import Enum, auto
from functools import lru_cache
from typing import TypeAlias

import msgspec

from tracekeeper.engine.frames import STDOUT, Frame, FrameDecoder
from tracekeeper.engine.marker import EndMarker
from tracekeeper.engine.position import (
    LOST,
    STAMP_SIZE,
    Position,
    Search,
    TailSearch,
    WholeSearch,
)
from tracekeeper.errors import EngineError

FIRST_TAIL = 1000
"""Entries asked for after a break. dockerd finds 1000 in 20 ms, and decodes 100 MB in 3 s."""
TAIL_GROWTH = 4
"""Small, so that a link on which every connection dies after a megabyte still gets on."""

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
    VERIFY = auto()  # still missing: all of the log
    ENDED = auto()


class Event(Enum):
    """What can happen to the machine, apart from bytes."""

    END = auto()  # the answer came to its proper end
    CUT = auto()  # the connection broke
    SHORT = auto()  # the tail began after the position
    RENEWED = auto()  # we broke it off ourselves, before a middlebox would have forgotten it
    RUNNING = auto()
    EXITED = auto()  # the container does not run, and the marker is missing
    PROVEN = auto()  # the container does not run, and the marker has been seen


TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.FOLLOW, Event.END): State.ASK,
    (State.FOLLOW, Event.CUT): State.ASK,
    (State.FOLLOW, Event.SHORT): State.FOLLOW,
    (State.FOLLOW, Event.RENEWED): State.FOLLOW,
    (State.ASK, Event.RUNNING): State.FOLLOW,
    (State.ASK, Event.EXITED): State.REREAD,
    (State.ASK, Event.PROVEN): State.ENDED,
    (State.REREAD, Event.SHORT): State.REREAD,
    (State.REREAD, Event.CUT): State.REREAD,
    (State.REREAD, Event.END): State.VERIFY,
    (State.REREAD, Event.PROVEN): State.ENDED,
    (State.VERIFY, Event.CUT): State.VERIFY,
    (State.VERIFY, Event.END): State.ENDED,
    (State.VERIFY, Event.PROVEN): State.ENDED,
}


class Follow:
    """Log bytes in, output out. Do what `wants` says, and report what came of it.

    `wants` is None when the log has been taken to its end; `doubt` then says in a sentence why
    output may be missing, or is empty. The end marker itself is never output.
    """

    __slots__ = ("_decoder", "_doubt", "_marker", "_position", "_search", "_state", "_tail")

    def __init__(self, nonce: str, position: Position = _START) -> None:
        self._marker = EndMarker(nonce)
        self._position = position
        self._state = State.FOLLOW
        self._tail: int | None = FIRST_TAIL
        self._doubt = ""
        self._begin_reading()

    @property
    def state(self) -> State:
        """Where the machine stands."""
        return self._state

    @property
    def position(self) -> Position:
        """What has been taken so far; another `Follow` can go on from here."""
        return self._position

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
        return Read(self._read_tail(), follow=self._state is State.FOLLOW)

    @property
    def settled(self) -> bool:
        """Whether this reading has reached the position: what comes next is new."""
        return self._search is None

    @property
    def short(self) -> bool:
        """Whether this reading is of no use: break it off, and do what `wants` says then."""
        return self._search is not None and self._search.short

    @property
    def doubt(self) -> str:
        """Why output may be missing, as a sentence; empty if it is all there."""
        if not self._doubt and self._state is State.ENDED and self._marker.status is None:
            return "the engine's log ends without the script's end marker"
        return self._doubt

    def feed(self, data: bytes) -> list[Piece]:
        """The output in these bytes of the log. Raises EngineError for what is no log."""
        frames = self._decoder.feed(data)
        if frames and self._search is not None:
            frames = self._seek(frames, self._search)
        if not frames:
            return []
        self._position = self._position.after(frames)
        return self._pieces(frames)

    def ended(self, *, broken: bool) -> list[Piece]:
        """The reading came to its end, or broke off. Gives output that had been held back."""
        if self.short:
            self._grow_tail()
            self._move(Event.SHORT)
        elif self._state is not State.FOLLOW and self._marker.status is not None:
            self._move(Event.PROVEN)
        else:
            self._check_found(broken=broken)
            self._move(Event.CUT if broken else Event.END)
        return self._held_back() if self._state is State.ENDED else []

    def renewed(self) -> None:
        """The reading was broken off by its reader, to go on over a new connection."""
        self._move(Event.RENEWED)

    def answered(self, *, running: bool) -> None:
        """The engine said whether the container runs."""
        if running:
            self._move(Event.RUNNING)
        else:
            self._move(Event.EXITED if self._marker.status is None else Event.PROVEN)

    def _move(self, event: Event) -> None:
        self._state = TRANSITIONS[self._state, event]
        self._begin_reading()

    def _begin_reading(self) -> None:
        self._decoder = FrameDecoder()
        self._search: Search | None = None
        if self._position.seen:
            search = WholeSearch if self._read_tail() is None else TailSearch
            self._search = search(self._position)

    def _read_tail(self) -> int | None:
        if self._state is State.VERIFY or not self._position.seen:
            return None
        return self._tail

    def _grow_tail(self) -> None:
        tail = (self._tail or FIRST_TAIL) * TAIL_GROWTH
        self._tail = tail if tail < self._position.seen else None

    def _seek(self, frames: list[Frame], search: Search) -> list[Frame]:
        found = search.feed(frames)
        if search.doubt:
            self._doubt = search.doubt
        if found is None:
            return []
        self._search = None
        self._tail = FIRST_TAIL
        return found

    def _check_found(self, *, broken: bool) -> None:
        if self._state is State.VERIFY and self._search is not None and not broken:
            self._doubt = LOST

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
        return [Piece(STDOUT, microseconds(self._position.last.stamp), held)] if held else []


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
