from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.engine.frames import STDERR, STDOUT, Frame, encoded
from tracekeeper.engine.position import Mark, Position, TailSearch, WholeSearch, difference

START = Position()


def stamp(second: int) -> bytes:
    return b"2026-11-23T02:29:%02d.000000000Z" % second


def entry(second: int, stream: int = STDOUT) -> Frame:
    return stream, stamp(second) + b" text\n"


def after(*frames: Frame, position: Position = START) -> Position:
    return position.after(list(frames), encoded(list(frames)))


def test_position_counts_entries_of_one_time_in_one_stream() -> None:
    frames = entry(1), entry(2), entry(2, STDERR), entry(2)
    position = after(*frames)
    assert position == Position(
        4, stamp(1), STDOUT, Mark(stamp(2), 2), Mark(stamp(2), 1), crc32(encoded(list(frames)))
    )
    assert position.last == position.out


def test_position_counts_on_over_chunks() -> None:
    position = START
    for frame in (entry(1), entry(2, STDERR), entry(1)):
        position = after(frame, position=position)
    assert position.out == Mark(stamp(1), 2)
    assert position.crc == after(entry(1), entry(2, STDERR), entry(1)).crc
    assert after(entry(3, STDERR), position=position).last == Mark(stamp(3), 1)


def test_the_next_start_begins_where_the_last_one_ended() -> None:
    position = Position(seen=7, first=stamp(1), began=3, held=b"\x1etrace", status=1)
    assert position.at_start() == Position(seen=7, first=stamp(1), began=7)


@given(
    st.builds(
        Position,
        seen=st.integers(0, 1 << 40),
        first=st.binary(max_size=30),
        stream=st.sampled_from([STDOUT, STDERR]),
        out=st.builds(Mark, st.binary(max_size=30), st.integers(0, 1 << 20)),
        err=st.builds(Mark, st.binary(max_size=30), st.integers(0, 1 << 20)),
        crc=st.integers(0, (1 << 32) - 1),
        began=st.integers(0, 1 << 40),
        held=st.binary(max_size=60),
        status=st.none() | st.integers(0, 999),
    )
)
def test_a_position_in_writing(position: Position) -> None:
    text = position.encode()
    assert Position.decode(text) == position
    assert text.isascii()
    assert len(text) < 400


@pytest.mark.parametrize("text", ["?", "AAA", "é", START.encode()[:-4], "wA=="])
def test_what_is_no_position(text: str) -> None:
    with pytest.raises(ValueError, match="is no position in a log"):
        Position.decode(text)


def test_a_log_that_is_what_was_taken() -> None:
    position = after(entry(1), entry(2))
    assert difference(position, after(entry(1), entry(2))) == ""
    assert difference(START, START) == ""


def test_where_a_log_differs_from_what_was_taken() -> None:
    position = after(entry(1), entry(2), entry(3))
    assert "begins at 2026-11-23T02:29:02" in difference(position, after(entry(2), entry(3)))
    assert "ends after 2 of the 3 entries" in difference(position, after(entry(1), entry(2)))
    assert "ends after 0 of the 3 entries" in difference(position, START)
    other = after(entry(1), (STDOUT, stamp(2) + b" TEXT\n"), entry(3))
    assert "up to entry 3 it has the checksum crc32:" in difference(position, other)


def test_tail_finds_the_position() -> None:
    search = TailSearch(after(entry(1), entry(2), entry(2)))
    assert search.feed([entry(1), entry(9, STDERR), entry(2)]) is None
    assert search.feed([entry(2), entry(2), entry(3)]) == 1
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
    assert search.feed([entry(2), entry(2)]) == 1


def test_of_a_whole_log_that_was_rotated_only_newer_entries_are_new() -> None:
    search = WholeSearch(after(entry(1), entry(2), entry(3)))
    assert search.feed([entry(2), entry(3)]) is None
    assert search.feed([entry(3), entry(4), entry(5)]) == 1
