"""What is told of a connection that broke, and in the end of any."""

import asyncio

import msgspec
import pytest

from tracekeeper.engine.errors import ConnectionLost, TlsFailure
from tracekeeper.events import ConnectionBroke, ConnectionClosed, ConnectionEvent
from tracekeeper.runner.executors.story import Story

PEER = "tcp://far:2376"


class Told:
    def __init__(self) -> None:
        self.notes: list[str] = []
        self.events: list[ConnectionEvent] = []

    def write(self, data: bytes, *, at: int | None = None) -> None:
        raise AssertionError

    def preview(self, data: bytes) -> None:
        raise AssertionError

    def checkpoint(self, standing: object, *, now: bool = False) -> None: ...

    def tell(self, event: ConnectionEvent) -> None:
        self.events.append(event)

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def begin() -> tuple[Told, Story]:
    told = Told()
    return told, Story(told, peer=PEER, patience=60.0)


def test_nothing_is_told_where_nothing_broke() -> None:
    told, story = begin()
    story.mended()
    assert (told.notes, told.events) == ([], [])


def test_a_break_is_one_event(clock: list[float]) -> None:
    told, story = begin()

    async def main() -> None:
        clock[0] += 20
        story.heard()
        clock[0] += 3
        story.met(ConnectionLost("it was reset"))
        assert story.is_broken
        clock[0] += 0.5
        story.met(ConnectionLost("nobody answers"))
        story.mended()
        story.mended()

    asyncio.run(main())
    broke = ConnectionBroke(
        peer=PEER, silent=3.0, cause="it was reset", seconds=0.5, recovered=True
    )
    assert (told.notes, told.events) == ([], [broke])
    assert not story.is_broken


def test_a_long_break_is_told_while_it_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracekeeper.runner.executors.story.TELL_AFTER", 0.0)
    told, story = begin()

    async def main() -> None:
        story.met(ConnectionLost("nobody answers"))
        while not told.notes:
            await asyncio.sleep(0)
        story.met(ConnectionLost("nobody answers"))
        await asyncio.sleep(0.01)

    asyncio.run(main())
    (note,) = told.notes
    assert note == (
        "WARNING: the connection to tcp://far:2376 broke (nobody answers); waiting up to 60 s for"
        " the Docker Engine to come back"
    )


def test_an_engine_that_is_given_up(clock: list[float]) -> None:
    told, story = begin()

    async def main() -> str:
        clock[0] += 30
        story.met(ConnectionLost("nobody answers"))
        clock[0] += 60
        return story.given_up()

    assert asyncio.run(main()) == (
        "the Docker host tcp://far:2376 is gone: it has not answered for 90 s (nobody answers)."
        " The job's container may still run there"
    )
    (event,) = told.events
    assert isinstance(event, ConnectionBroke)
    assert not event.recovered


def test_what_stands_in_the_way_of_another_connection_is_told_too(clock: list[float]) -> None:
    _, story = begin()

    async def main() -> str:
        story.met(ConnectionLost("it was reset"))
        clock[0] += 5
        story.met(TlsFailure("the certificate has expired"))
        return story.given_up()

    assert "(it was reset; now: the certificate has expired)" in asyncio.run(main())


def test_a_container_that_is_paused_is_told_once_in_a_silence() -> None:
    told, story = begin()
    for _ in range(2):
        story.paused()
        story.paused()
        story.heard()
    assert told.notes == ["WARNING: the container is paused; its script waits"] * 2


def test_the_sum(clock: list[float]) -> None:
    told, story = begin()

    async def main() -> None:
        clock[0] += 5
        story.heard()
        story.asked()
        story.renewed()
        story.renewed()
        story.met(ConnectionLost("gone"))
        story.mended()
        clock[0] += 7
        story.met(ConnectionLost("gone"))
        story.closed("off")

    asyncio.run(main())
    closed = ConnectionClosed(
        peer=PEER, keepalive="off", breaks=2, renewals=2, questions=1, longest_silence=7.0
    )
    assert told.events[1:] == [closed]
    assert msgspec.json.decode(msgspec.json.encode(closed))["type"] == "connection_closed"
