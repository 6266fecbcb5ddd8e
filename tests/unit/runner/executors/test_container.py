"""What is told of a connection that broke."""

import pytest

from tracekeeper.engine.errors import ConnectionLost
from tracekeeper.events import ConnectionEvent
from tracekeeper.runner.executors.container import Break


class Notes:
    def __init__(self) -> None:
        self.told: list[str] = []

    def write(self, data: bytes, *, at: int | None = None) -> None:
        raise AssertionError

    def tell(self, event: ConnectionEvent) -> None: ...

    def preview(self, data: bytes) -> None:
        raise AssertionError

    def note(self, text: str) -> None:
        self.told.append(text)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def test_nothing_is_told_where_nothing_broke() -> None:
    notes = Notes()
    Break(notes).mended()
    assert notes.told == []


def test_a_short_break_is_one_line(clock: list[float]) -> None:
    notes = Notes()
    told = Break(notes)
    told.met(ConnectionLost("it was reset"))
    clock[0] += 0.5
    told.met(ConnectionLost("nobody answers"))
    told.mended()
    told.mended()
    (line,) = notes.told
    assert line == (
        "WARNING: the connection to the Docker Engine broke (it was reset); after 0.5 s the log"
        " goes on where it had stopped"
    )


def test_a_long_break_is_told_while_it_lasts(clock: list[float]) -> None:
    notes = Notes()
    told = Break(notes)
    for seconds in (0.0, 2.0, 2.0):
        clock[0] += seconds
        told.met(ConnectionLost("nobody answers"))
    assert notes.told == ["WARNING: nobody answers; trying again for 60 s"]
    told.mended()
    assert "(nobody answers); after 4.0 s" in notes.told[1]
