import itertools
from struct import pack

import pytest

from tracekeeper.engine import follow as follow_module
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
from tracekeeper.engine.position import LOST
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
    assert wants(follow) == Read(follow_module.FIRST_TAIL, follow=True)
    assert text(follow.feed(entry(0, b"one\n") + entry(1, b"two\n"))) == b""
    assert text(follow.feed(entry(2, b"three\n"))) == b"three\n"
    assert follow.position.seen == 3


def test_a_tail_that_is_short_grows_until_it_is_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow_module, "FIRST_TAIL", 1)
    monkeypatch.setattr(follow_module, "TAIL_GROWTH", 2)
    follow = Follow(NONCE)
    log = b"".join(entry(second, b"%d\n" % second) for second in range(3))
    follow.feed(log)
    follow.ended(broken=True)
    follow.answered(running=True)
    for tail in (1, 2):
        assert wants(follow) == Read(tail, follow=True)
        assert follow.feed(entry(3, b"3\n")) == []
        assert follow.short
        follow.ended(broken=False)
    assert wants(follow) == ALL
    assert text(follow.feed(log + entry(3, b"3\n"))) == b"3\n"
    assert not follow.short
    follow.ended(broken=True)
    follow.answered(running=True)
    assert wants(follow) == Read(1, follow=True)


def test_the_rest_is_read_when_the_marker_is_missing() -> None:
    follow = Follow(NONCE)
    follow.feed(entry(0, b"one\n") + entry(1, b"two\n"))
    follow.ended(broken=True)
    follow.answered(running=False)
    assert wants(follow) == Read(follow_module.FIRST_TAIL, follow=False)
    data = entry(0, b"one\n") + entry(1, b"two\n") + entry(2, b"three" + END)
    assert text(follow.feed(data)) == b"three"
    follow.ended(broken=False)
    assert (wants(follow), follow.doubt, follow.exit_status) == (None, "", 3)


def test_all_is_read_before_a_marker_is_called_missing() -> None:
    follow = Follow(NONCE)
    follow.feed(entry(0, b"one\n"))
    follow.ended(broken=False)
    follow.answered(running=False)
    follow.ended(broken=False)
    assert wants(follow) == Read(None, follow=False)
    assert follow.doubt == ""
    assert follow.feed(entry(0, b"one\n")) == []
    assert text(follow.feed(entry(1, b"two" + END[:7]))) == b"two"
    assert text(follow.ended(broken=False)) == END[:7]
    assert wants(follow) is None
    assert "without the script's end marker" in follow.doubt


def test_a_log_that_lost_entries_is_in_doubt() -> None:
    follow = Follow(NONCE)
    follow.feed(entry(0, b"one\n") + entry(1, b"two\n"))
    follow.ended(broken=True)
    follow.answered(running=False)
    follow.ended(broken=True)
    follow.ended(broken=False)
    follow.feed(entry(0, b"one\n"))
    follow.ended(broken=False)
    assert (wants(follow), follow.doubt) == (None, LOST)


def test_a_log_that_was_replaced_is_in_doubt() -> None:
    follow = Follow(NONCE)
    follow.feed(entry(0, b"one\n"))
    follow.ended(broken=True)
    follow.answered(running=False)
    follow.ended(broken=False)
    assert text(follow.feed(entry(5, b"other" + END))) == b"other"
    follow.ended(broken=False)
    assert (wants(follow), follow.doubt) == (None, LOST)


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
    assert wants(after) == Read(follow_module.FIRST_TAIL, follow=True)
    assert text(after.feed(log + entry(2, b"after\n"))) == b"after\n"


def test_a_reading_that_is_renewed_goes_on_where_it_was() -> None:
    follow = Follow(NONCE)
    follow.feed(entry(0, b"one\n") + entry(1, b"two\n") + entry(2, b"half a frame")[:-3])
    follow.renewed()
    assert wants(follow) == Read(follow_module.FIRST_TAIL, follow=True)
    log = entry(0, b"one\n") + entry(1, b"two\n") + entry(2, b"three" + END)
    assert text(follow.feed(log)) == b"three"


def test_an_empty_log() -> None:
    follow = Follow(NONCE)
    follow.ended(broken=False)
    follow.answered(running=False)
    assert wants(follow) == Read(None, follow=False)
    follow.ended(broken=False)
    assert follow.ended(broken=False) == []
    assert follow.state is State.ENDED


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
