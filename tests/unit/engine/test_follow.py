import itertools
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.engine.follow import (
    TRANSITIONS,
    Ask,
    Event,
    Follow,
    Piece,
    Read,
    State,
    Want,
    microseconds,
)
from tracekeeper.engine.frames import STDERR, STDOUT
from tracekeeper.engine.marker import prefix
from tracekeeper.engine.position import Position
from tracekeeper.engine.reading import FIRST_TAIL
from tracekeeper.errors import EngineError

NONCE = "ab" * 16
END = prefix(NONCE) + b"3\n"
AT = 1_795_400_000_000_000  # 2026-11-23T02:13:20Z
ALL = Read(None, follow=True)


def entry(second: float, text: bytes, stream: int = STDOUT) -> bytes:
    whole, fraction = divmod(round(second * 1_000_000), 1_000_000)
    data = b"2026-11-23T02:13:%02d.%06d000Z " % (20 + whole, fraction) + text
    return pack(">BxxxI", stream, len(data)) + data


def wants(follow: Follow) -> Want | None:
    return follow.wants


def text(pieces: list[Piece]) -> bytes:
    return b"".join(piece.data for piece in pieces)


def test_an_unbroken_log_is_proven() -> None:
    follow = Follow(NONCE)
    assert wants(follow) == ALL
    assert follow.feed(entry(0, b"one\n") + entry(1, b"two" + END)) == [
        Piece(STDOUT, AT, b"one\n"),
        Piece(STDOUT, AT + 1_000_000, b"two"),
    ]
    assert follow.ended(broken=False) == []
    assert wants(follow) == Ask()
    follow.answered(running=False)
    assert (wants(follow), follow.doubt, follow.exit_status) == (None, "", 3)
    assert follow.position.seen == 2


def test_entries_of_one_millisecond_and_stream_are_joined() -> None:
    data = entry(0.0001, b"a\n") + entry(0.0009, b"b\n") + entry(0.001, b"c\n")
    data += entry(0.001, b"d\n", STDERR)
    assert Follow(NONCE).feed(data) == [
        Piece(STDOUT, AT + 100, b"a\nb\n"),
        Piece(STDOUT, AT + 1000, b"c\n"),
        Piece(STDERR, AT + 1000, b"d\n"),
    ]


def test_a_marker_on_stderr_is_output() -> None:
    follow = Follow(NONCE)
    assert text(follow.feed(entry(0, END, STDERR))) == END
    assert follow.exit_status is None


def test_a_break_is_resumed_by_the_tail() -> None:
    follow = Follow(NONCE)
    follow.feed(entry(0, b"one\n") + entry(1, b"two\n") + entry(2, b"half a frame")[:-3])
    follow.ended(broken=True)
    follow.answered(running=True)
    assert wants(follow) == Read(FIRST_TAIL, follow=True)
    assert text(follow.feed(entry(0, b"one\n") + entry(1, b"two\n"))) == b""
    assert text(follow.feed(entry(2, b"three\n"))) == b"three\n"
    assert follow.position.seen == 3


def test_a_short_tail_is_broken_off_and_asked_for_again() -> None:
    follow = Follow(NONCE)
    log = b"".join(entry(second / 1000, b"%d\n" % second) for second in range(FIRST_TAIL * 5))
    follow.feed(log)
    follow.ended(broken=True)
    follow.answered(running=True)
    assert follow.feed(entry(9, b"new\n")) == []
    assert (follow.short, follow.state) == (True, State.FOLLOW)
    follow.ended(broken=False)
    assert wants(follow) == Read(FIRST_TAIL * 4, follow=True)
    assert not follow.short


def broken(log: bytes, at: int) -> Follow:
    """A follow that took `log` in two answers, and knows that the container has ended."""
    follow = Follow(NONCE)
    follow.feed(log[:at])
    follow.ended(broken=True)
    follow.answered(running=True)
    follow.feed(log)
    follow.ended(broken=False)
    follow.answered(running=False)
    return follow


ONE, TWO = entry(0, b"one\n"), entry(1, b"two\n")
LOG = ONE + TWO + entry(2, b"three" + END)


def test_after_a_break_all_is_read_a_second_time() -> None:
    follow = broken(LOG, at=len(ONE + TWO))
    assert (follow.state, wants(follow)) == (State.VERIFY, Read(3, follow=False))
    assert follow.feed(LOG[:50]) == follow.feed(LOG[50:]) == []
    follow.ended(broken=False)
    assert (wants(follow), follow.doubt, follow.altered, follow.exit_status) == (None, "", "", 3)


def test_an_end_while_the_container_runs_is_a_break() -> None:
    follow = Follow(NONCE)
    follow.feed(ONE + TWO)
    follow.ended(broken=False)
    follow.answered(running=True)
    follow.feed(LOG)
    follow.ended(broken=False)
    follow.answered(running=False)
    assert follow.state is State.VERIFY


@pytest.mark.parametrize(
    ("found", "where"),
    [
        (LOG.replace(b"one", b"ONE"), "up to entry 3 it has"),
        (LOG.replace(b"00000Z three", b"00001Z three"), "up to entry 3"),
        (ONE + TWO, "ends after 2 of the 3"),
        (LOG[len(ONE) :], "begins at 2026-11-23T02:13:21"),
        (b"", "ends after 0 of the 3"),
    ],
)
def test_a_log_that_is_not_what_it_was_is_altered(found: bytes, where: str) -> None:
    follow = broken(LOG, at=len(ONE + TWO))
    follow.feed(found)
    follow.ended(broken=False)
    assert (wants(follow), follow.doubt, follow.exit_status) == (None, "", 3)
    assert where in follow.altered


def test_a_second_reading_that_breaks_goes_on_where_it_was() -> None:
    follow = broken(LOG, at=len(ONE + TWO))
    follow.feed(ONE + TWO)
    follow.ended(broken=True)
    assert wants(follow) == Read(FIRST_TAIL + 1, follow=False)
    settled = [follow.settled]
    assert follow.feed(LOG) == []
    assert [*settled, follow.settled] == [False, True]
    follow.ended(broken=True)  # the marker has been seen, and all before it twice
    assert (wants(follow), follow.altered) == (None, "")


def test_a_second_reading_whose_tail_misleads_begins_again_with_the_whole() -> None:
    follow = broken(LOG, at=len(ONE + TWO))
    follow.feed(ONE + TWO)
    follow.ended(broken=True)
    follow.feed(ONE)
    follow.ended(broken=False)
    assert (follow.state, wants(follow)) == (State.VERIFY, Read(None, follow=False))
    follow.feed(LOG)
    follow.ended(broken=False)
    assert (wants(follow), follow.altered) == (None, "")


def test_the_rest_is_read_when_the_marker_is_missing() -> None:
    follow = Follow(NONCE)
    follow.feed(ONE + TWO)
    follow.ended(broken=True)
    follow.answered(running=False)
    assert wants(follow) == Read(FIRST_TAIL, follow=False)
    assert text(follow.feed(LOG)) == b"three"
    follow.ended(broken=False)
    assert follow.state is State.VERIFY
    follow.feed(LOG)
    follow.ended(broken=False)
    assert (wants(follow), follow.doubt, follow.altered, follow.exit_status) == (None, "", "", 3)


def test_all_is_read_before_a_marker_is_called_missing() -> None:
    follow = Follow(NONCE)
    follow.feed(ONE)
    follow.ended(broken=False)
    follow.answered(running=False)
    follow.ended(broken=True)
    assert (follow.state, wants(follow)) == (State.REREAD, Read(FIRST_TAIL, follow=False))
    follow.ended(broken=False)
    assert wants(follow) == Read(None, follow=False)
    assert follow.doubt == ""
    log = ONE + entry(1, b"two" + END[:7])
    assert text(follow.feed(log[:-1])) == b""
    assert text(follow.feed(log[-1:])) == b"two"
    follow.ended(broken=True)
    assert (follow.state, wants(follow)) == (State.VERIFY, Read(None, follow=False))
    assert follow.feed(log) == []
    assert text(follow.ended(broken=False)) == END[:7]
    assert wants(follow) is None
    assert "without the script's end marker" in follow.doubt
    assert follow.altered == ""


def test_what_follows_in_a_log_that_was_altered_is_still_output() -> None:
    follow = Follow(NONCE)
    follow.feed(ONE)
    follow.ended(broken=True)
    follow.answered(running=False)
    follow.ended(broken=False)
    assert text(follow.feed(entry(0, b"ONE\n") + entry(5, b"more" + END))) == b"more"
    follow.ended(broken=True)
    assert (wants(follow), follow.doubt, follow.exit_status) == (None, "", 3)
    assert "up to entry 1" in follow.altered


HALF = entry(1, b"tw" + END[:9]) + entry(2, END[9:])


@given(st.integers(0, len(ONE + HALF)), st.booleans())
def test_another_process_goes_on_from_a_position_in_writing(cut: int, ran_on: bool) -> None:
    log = ONE + HALF
    first = Follow(NONCE)
    output = text(first.feed(log[:cut]))
    second = Follow.resume(NONCE, Position.decode(first.position.encode()))
    while (want := wants(second)) is not None:
        if isinstance(want, Read):
            output += text(second.feed(log)) + text(second.ended(broken=False))
        else:
            second.answered(running=ran_on)
            ran_on = False
    assert (output, second.exit_status, second.doubt, second.altered) == (b"one\ntw", 3, "", "")
    assert second.position.began == 0


def test_the_second_process_finds_what_was_altered_in_between() -> None:
    first = Follow(NONCE)
    first.feed(LOG)
    second = Follow.resume(NONCE, first.position)
    log = LOG.replace(b"one", b"ONE")
    second.feed(log)
    second.ended(broken=False)
    second.answered(running=False)
    second.feed(log)
    second.ended(broken=False)
    assert "up to entry 3" in second.altered


def test_a_reading_is_settled_once_it_has_reached_the_position() -> None:
    first = Follow(NONCE)
    first.feed(entry(0, b"one\n") + entry(1, b"two\n"))
    second = Follow(NONCE, first.position)
    second.feed(entry(0, b"one\n"))
    settled = [first.settled, second.settled]
    second.feed(entry(1, b"two\n"))
    assert [*settled, second.settled] == [True, False, True]


def test_a_later_step_goes_on_from_the_position_of_the_one_before() -> None:
    script = Follow(NONCE)
    log = entry(0, b"one\n") + entry(1, END)
    script.feed(log)
    after = Follow("cd" * 16, script.position)
    assert wants(after) == Read(FIRST_TAIL, follow=True)
    assert text(after.feed(log + entry(2, b"after\n"))) == b"after\n"
    assert (after.position.began, after.position.status, after.exit_status) == (2, None, None)


def test_a_reading_that_is_renewed_goes_on_where_it_was() -> None:
    follow = Follow(NONCE)
    follow.feed(entry(0, b"one\n") + entry(1, b"two\n") + entry(2, b"half a frame")[:-3])
    follow.renewed()
    assert wants(follow) == Read(FIRST_TAIL, follow=True)
    log = entry(0, b"one\n") + entry(1, b"two\n") + entry(2, b"three" + END)
    assert text(follow.feed(log)) == b"three"


def test_a_log_that_is_mistrusted_is_read_twice() -> None:
    follow = Follow(NONCE)
    log = entry(0, b"one\n") + entry(1, b"two" + END)
    follow.feed(log)
    follow.ended(broken=False)
    follow.mistrust()
    follow.answered(running=False)
    assert wants(follow) == Read(2, follow=False)
    assert text(follow.feed(log)) == b""
    follow.ended(broken=False)
    assert (wants(follow), follow.altered) == (None, "")


def test_a_log_with_a_line_that_cannot_be_read_begins_later_when_it_is_counted() -> None:
    follow = Follow(NONCE)
    follow.feed(entry(0, b"one\n") + entry(1, b"three" + END))
    follow.ended(broken=False)
    follow.mistrust()
    follow.answered(running=False)
    follow.feed(entry(1, b"three" + END))  # the last two lines, one of them unreadable
    follow.ended(broken=False)
    assert wants(follow) is None
    assert "begins" in follow.altered


def test_an_empty_log() -> None:
    follow = Follow(NONCE)
    follow.ended(broken=False)
    follow.answered(running=False)
    assert wants(follow) == Read(None, follow=False)
    follow.ended(broken=False)
    assert follow.ended(broken=False) == []
    assert (follow.state, follow.altered) == (State.ENDED, "")


@pytest.mark.parametrize(
    ("state", "event"),
    [pair for pair in itertools.product(State, Event) if pair not in TRANSITIONS],
)
def test_illegal_transitions(state: State, event: Event) -> None:
    follow = Follow(NONCE)
    follow._state = state
    with pytest.raises(KeyError):
        follow._move(event)


def test_every_state_has_a_way_to_the_end() -> None:
    reached = {State.ENDED}
    while more := {a for (a, _), b in TRANSITIONS.items() if b in reached} - reached:
        reached |= more
    assert reached == set(State)


@pytest.mark.parametrize(
    "data", [b"no time at all", b"2026-11-23T99:00:00.000000000Z", b"\xff" * 30]
)
def test_an_entry_without_its_time(data: bytes) -> None:
    with pytest.raises(EngineError, match="without its time"):
        microseconds(data)


def test_what_has_been_taken_changes_while_reading_gets_on() -> None:
    follow = broken(LOG, at=len(ONE + TWO))
    before = follow.taken
    follow.feed(ONE)
    assert (before, follow.taken) == (3, 4)
