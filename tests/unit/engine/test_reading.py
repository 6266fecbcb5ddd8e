import pytest

from tracekeeper.engine import reading as reading_module
from tracekeeper.engine.frames import STDOUT, Frame, encoded
from tracekeeper.engine.position import Position
from tracekeeper.engine.reading import FIRST_TAIL, Reading


def entries(*seconds: int) -> list[Frame]:
    return [(STDOUT, b"2026-11-23T02:13:%02d.000000000Z text\n" % each) for each in seconds]


def taken(*seconds: int) -> Position:
    return Position().after(entries(*seconds), encoded(entries(*seconds)))


def log(*seconds: int) -> bytes:
    return encoded(entries(*seconds))


def test_a_first_reading_is_of_all() -> None:
    reading = Reading(Position())
    assert (reading.tail, reading.settled, reading.short) == (None, True, False)
    assert reading.feed(log(1, 2)[:-1]) == entries(1)
    assert reading.feed(log(2)[-1:]) == entries(2)
    assert reading.position == taken(1, 2)


def test_a_later_one_is_of_the_last_entries() -> None:
    reading = Reading(taken(1, 2))
    assert (reading.tail, reading.settled) == (FIRST_TAIL, False)
    assert reading.feed(log(1)) == []
    assert reading.feed(b"") == []
    assert reading.feed(log(2, 3, 4)) == entries(3, 4)
    assert (reading.settled, reading.position) == (True, taken(1, 2, 3, 4))


def test_half_an_entry_is_forgotten_with_its_answer() -> None:
    reading = Reading(Position())
    reading.feed(log(1, 2, 3)[:-1])
    reading.again()
    assert reading.feed(log(1, 2, 3)) == entries(3)
    assert reading.position == taken(1, 2, 3)


def test_a_tail_that_was_short_grows_until_it_is_the_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading_module, "FIRST_TAIL", 1)
    monkeypatch.setattr(reading_module, "TAIL_GROWTH", 2)
    reading = Reading(taken(1, 2, 3))
    tails = []
    while reading.tail is not None:
        tails.append(reading.tail)
        reading.feed(log(4))
        assert reading.short
        reading.again()
    assert tails == [1, 2]
    assert reading.feed(log(1, 2, 3, 4)) == entries(4)
    assert reading.tail == 1


def test_the_whole_log_can_be_asked_for() -> None:
    reading = Reading(taken(1, 2))
    reading.again(whole=True)
    reading.again()
    assert reading.tail is None
    assert reading.feed(log(1, 2, 3)) == entries(3)


def test_the_position_goes_no_further_than_wanted() -> None:
    reading = Reading(Position())
    assert reading.feed(log(1, 2, 3), most=2) == entries(1, 2, 3)
    assert reading.position == taken(1, 2)
    assert Reading(Position()).feed(log(1), most=0) == entries(1)


def test_a_reading_goes_on_with_the_answer_of_another() -> None:
    first, second = Reading(taken(1, 2)), Reading(Position())
    found = second.feed(log(1, 2, 3, 4)[:-1], most=2)
    first.go_on(second, found[2:])
    assert first.settled
    assert first.feed(log(4)[-1:]) == entries(4)
    assert first.position == taken(1, 2, 3, 4)
