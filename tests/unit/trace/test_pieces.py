from tracekeeper.trace.format import HEADER_SIZE, MAX_PIECE
from tracekeeper.trace.pieces import Pieces


def shown(trace: bytes) -> list[bytes]:
    """Each piece as microseconds, stream, mark and text."""
    return [line[20:26].lstrip(b"0") + line[27:] for line in trace.split(b"\n")]


def test_whole_lines_get_the_same_time() -> None:
    pieces = Pieces()
    trace = pieces.add(b"a\n\nb\n", stream=1, at=7)
    assert shown(trace) == [b"7 01O a", b"7 01O ", b"7 01O b", b""]
    assert (pieces.headers, pieces.newlines, pieces.waiting) == (3 * HEADER_SIZE, 0, 0)


def test_an_unfinished_line_waits_and_has_the_time_of_its_first_byte() -> None:
    pieces = Pieces()
    assert pieces.add(b"Contin", stream=1, at=1) == b""
    assert pieces.add(b"ue", stream=1, at=2) == b""
    assert (pieces.pending(1), pieces.pending(2), pieces.waiting) == (b"Continue", b"", 8)
    assert shown(pieces.add(b"?\nyes\n", stream=1, at=3)) == [b"1 01O Continue?", b"3 01O yes", b""]


def test_a_flushed_line_has_no_newline_until_it_goes_on() -> None:
    pieces = Pieces()
    pieces.add(b"Continue? ", stream=1, at=1)
    trace = pieces.flush()
    assert shown(trace) == [b"1 01O Continue? "]
    assert pieces.flush() == b""
    trace += pieces.add(b"yes\nthanks\n", stream=1, at=9)
    assert shown(trace) == [b"1 01O Continue? ", b"9 01O+yes", b"9 01O thanks", b""]
    assert (pieces.newlines, pieces.headers) == (1, 3 * HEADER_SIZE)


def test_a_line_of_another_stream_comes_between() -> None:
    pieces = Pieces()
    trace = pieces.add(b"Contin", stream=1, at=1) + pieces.flush()
    trace += pieces.add(b"note\n", stream=0, at=2)
    trace += pieces.add(b"ue\n", stream=1, at=3)
    assert shown(trace) == [b"1 01O Contin", b"2 00O note", b"3 01O+ue", b""]


def test_a_line_that_never_goes_on_is_marked_at_the_end() -> None:
    pieces = Pieces()
    trace = pieces.add(b"Contin", stream=1, at=1) + pieces.flush()
    trace += pieces.add(b"note\n", stream=0, at=2)
    trace += pieces.finish(9)
    assert shown(trace) == [b"1 01O Contin", b"2 00O note", b"9 01O+"]


def test_an_unfinished_line_at_the_end_needs_no_mark() -> None:
    pieces = Pieces()
    trace = pieces.add(b"note\n", stream=0, at=1) + pieces.add(b"end", stream=1, at=2)
    trace += pieces.flush() + pieces.finish(9)
    assert shown(trace) == [b"1 00O note", b"2 01O end"]


def test_a_progress_bar_is_stored_at_each_write() -> None:
    pieces = Pieces()
    trace = pieces.add(b"\r10%", stream=1, at=1) + pieces.add(b"\r20%", stream=1, at=2)
    trace += pieces.add(b"\ndone\r\n", stream=1, at=3)
    assert shown(trace) == [b"1 01O \r10%", b"2 01O+\r20%", b"3 01O+", b"3 01O done\r", b""]


def test_a_long_line_is_stored_in_pieces() -> None:
    pieces = Pieces()
    long = b"x" * MAX_PIECE
    trace = pieces.add(b"a\n" + long + b"\n" + long + b"yz\nb\n", stream=1, at=1)
    first, exact, cut, rest, last, end = shown(trace)
    assert (first, last, end) == (b"1 01O a", b"1 01O b", b"")
    assert (exact, cut, rest) == (b"1 01O " + long, b"1 01O " + long, b"1 01O+yz")
    assert (pieces.newlines, pieces.headers) == (1, 5 * HEADER_SIZE)


def test_a_line_without_an_end_does_not_pile_up() -> None:
    pieces = Pieces()
    for _ in range(5):
        pieces.add(b"x" * (MAX_PIECE - 1), stream=1, at=1)
        assert pieces.waiting <= MAX_PIECE


def test_a_character_is_not_cut() -> None:
    pieces = Pieces()
    text = b"." * (MAX_PIECE - 2) + "🐤🐤\n".encode()
    first, rest, end = shown(pieces.add(text, stream=1, at=1))
    assert first.endswith(b".")
    assert rest == "1 01O+🐤🐤".encode()
    assert end == b""


def test_others_go_on_where_nothing_waited() -> None:
    pieces = Pieces()
    pieces.add(b"prompt? ", stream=1, at=1)
    pieces.add(b"a line\n", stream=2, at=2)
    pieces.add(b"half", stream=3, at=2)
    pieces.flush()
    assert (pieces.begun, pieces.open) == ((1, 3), True)
    others = Pieces()
    others.restore(pieces.begun, open=pieces.open)
    later = [each.add(b" go on\n", stream=1, at=3) for each in (pieces, others)]
    assert later[0] == later[1]
    assert (pieces.begun, pieces.open) == ((3,), False)
    closed = Pieces()
    closed.restore(pieces.begun, open=pieces.open)
    assert closed.add(b" go on\n", stream=3, at=4) == pieces.add(b" go on\n", stream=3, at=4)


def test_somebody_else_ends_the_line() -> None:
    pieces = Pieces()
    pieces.add(b"prompt? ", stream=1, at=1)
    pieces.flush()
    pieces.ended()
    assert shown(pieces.add(b"yes\n", stream=1, at=9)) == [b"9 01O+yes", b""]
