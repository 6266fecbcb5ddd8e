"""The events of a run on disk."""

import os
from pathlib import Path

import pytest

from tracekeeper import events
from tracekeeper.errors import StorageError
from tracekeeper.local.journal import EventJournal, read_events

FIRST = events.Warned(message="first")
SECOND = events.Warned(message="second")


def messages(path: Path) -> list[str]:
    return [event.message for event in read_events(path) if isinstance(event, events.Warned)]


def test_events_are_appended(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    for event in (FIRST, SECOND):
        journal = EventJournal(path)
        assert journal.write(event, 0)
        journal.close()
    assert messages(path) == ["first", "second"]


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    journal = EventJournal(path)
    journal.write(FIRST, 0)
    journal.write(SECOND, 0)
    journal.close()
    path.write_bytes(path.read_bytes()[:-3])
    assert messages(path) == ["first"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_disk_that_refuses_is_told_once() -> None:
    journal = EventJournal(Path("/dev/full"))
    assert [journal.write(FIRST, 0) for _ in range(3)] == [False, True, True]
    journal.close()


def test_a_line_that_fits_in_part_is_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "events.jsonl"
    journal = EventJournal(path)
    journal.write(FIRST, 0)
    real = events.encode

    class Half(bytes):
        """Bytes that the system takes half of."""

        def __len__(self) -> int:
            return super().__len__() * 2

    monkeypatch.setattr(events, "encode", lambda event, at: Half(real(event, at=at)[:-5]))
    assert not journal.write(SECOND, 0)
    monkeypatch.undo()
    assert journal.write(SECOND, 0)
    assert messages(path) == ["first"]


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        EventJournal(tmp_path / "missing" / "events.jsonl")


@pytest.mark.parametrize("left", [1, 10, 3000])
def test_a_torn_line_does_not_spoil_the_next(tmp_path: Path, left: int) -> None:
    path = tmp_path / "events.jsonl"
    journal = EventJournal(path)
    for event in (FIRST, SECOND):
        journal.write(event, 0)
    journal.close()
    path.write_bytes(path.read_bytes() + b"x" * left)
    again = EventJournal(path)
    again.write(FIRST, 0)
    again.close()
    assert messages(path) == ["first", "second", "first"]
