from tracekeeper.engine.frames import STDERR, STDOUT, Frame
from tracekeeper.engine.position import LOST, Mark, Position, TailSearch, WholeSearch


def stamp(second: int) -> bytes:
    return b"2026-11-23T02:29:%02d.000000000Z" % second


def entry(second: int, stream: int = STDOUT) -> Frame:
    return stream, stamp(second) + b" text\n"


def after(*frames: Frame) -> Position:
    return Position().after(list(frames))


def test_position_counts_entries_of_one_time_in_one_stream() -> None:
    position = after(entry(1), entry(2), entry(2, STDERR), entry(2))
    assert position == Position(4, stamp(1), STDOUT, Mark(stamp(2), 2), Mark(stamp(2), 1))
    assert position.last == position.out


def test_position_counts_on_over_chunks() -> None:
    position = after(entry(1)).after([entry(2, STDERR)]).after([entry(1)])
    assert position.out == Mark(stamp(1), 2)
    assert position.after([entry(3, STDERR)]).last == Mark(stamp(3), 1)


def test_tail_finds_the_position() -> None:
    search = TailSearch(after(entry(1), entry(2), entry(2)))
    assert search.feed([entry(1), entry(9, STDERR), entry(2)]) is None
    assert search.feed([entry(2), entry(2), entry(3)]) == [entry(2), entry(3)]
    assert not search.short


def test_tail_that_begins_after_the_position_is_short() -> None:
    search = TailSearch(after(entry(1), entry(2)))
    assert search.feed([entry(3)]) is None
    assert search.short


def test_tail_that_may_begin_between_two_pieces_is_short() -> None:
    search = TailSearch(after(entry(1), entry(2), entry(2)))
    assert search.feed([entry(1, STDERR), entry(2)]) is None
    assert search.short


def test_whole_log_is_counted() -> None:
    search = WholeSearch(after(entry(5), entry(2), entry(2)))
    assert search.feed([entry(5), entry(2)]) is None
    assert search.feed([entry(2), entry(2)]) == [entry(2)]
    assert search.doubt == ""


def test_whole_log_that_was_rotated() -> None:
    search = WholeSearch(after(entry(1), entry(2), entry(3)))
    assert search.feed([entry(2), entry(3)]) is None
    assert search.feed([entry(3), entry(4), entry(5)]) == [entry(4), entry(5)]
    assert search.doubt == LOST


def test_whole_log_in_which_entries_are_missing() -> None:
    search = WholeSearch(after(entry(1), entry(2), entry(3)))
    assert search.feed([entry(1), entry(3), entry(4), entry(5)]) == [entry(5)]
    assert search.doubt == LOST
