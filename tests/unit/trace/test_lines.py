from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.trace.lines import Piece, Stripper, parse, text_of

T1 = b"2026-11-23T02:29:16.000001Z "
T2 = b"2026-11-23T02:39:16.000002Z "
TRACE = b"".join(
    (
        T1 + b"00O Preparing\n",
        T1 + b"01O Con\n" + T2 + b"01O+tinue? \n" + T2 + b"00O the runner waits\n",
        T2 + b"01O+yes\n" + T2 + b"01E \n",
        b"no header + here\n",
        T2 + b"01O end",
    )
)
TEXT = b"Preparing\nContinue? \nthe runner waits\nyes\n\nno header + here\nend"


def fed(stripper: Stripper, pieces: list[bytes]) -> bytes:
    return b"".join(map(stripper.feed, pieces)) + stripper.finish()


@pytest.mark.parametrize("size", [1, 2, 31, 32, 33, 34, 100, 1000])
def test_headers_are_taken_off_in_any_split(size: int) -> None:
    pieces = [TRACE[at : at + size] for at in range(0, len(TRACE), size)]
    assert fed(Stripper(), pieces) == TEXT


def test_a_prefix_stands_before_each_line() -> None:
    expected = b"".join(b"job | " + line for line in TEXT.splitlines(keepends=True))
    assert fed(Stripper(b"job | "), [TRACE]) == expected
    assert fed(Stripper(rb"\1"), [T1 + b"01O a\n"]) == b"\\1a\n"


def test_the_stored_times_can_be_shown() -> None:
    assert fed(Stripper(b"| ", timestamps=True), [TRACE]).splitlines() == [
        b"| " + T1 + b"Preparing",
        b"| " + T1 + b"Continue? ",
        b"| " + T2 + b"the runner waits",
        b"| " + T2 + b"yes",
        b"| " + T2,
        b"|  no header + here",
        b"| " + T2 + b"end",
    ]


def test_a_newline_is_given_out_when_it_is_known_to_be_one() -> None:
    stripper = Stripper(b"> ")
    assert stripper.feed(T1 + b"01O one\n") == b"> one"
    assert stripper.feed(T1 + b"01O t") == b"\n> t"
    assert stripper.feed(b"wo\n" + T2 + b"01O+ three") == b"wo three"


def test_a_settled_newline_is_not_given_out_twice() -> None:
    stripper = Stripper(b"> ")
    assert stripper.settle() == b""
    assert stripper.feed(T1 + b"01O one\n") + stripper.settle() == b"> one\n"
    assert stripper.settle() == b""
    assert stripper.feed(T1 + b"01O two") + stripper.settle() == b"> two"
    assert stripper.feed(b"\n") + stripper.settle() == b"\n"
    assert stripper.feed(T2 + b"01O+ three\n" + T2 + b"01O+ four") == b">  three four"
    assert stripper.finish() == b""


def test_the_mark_of_a_line_that_never_went_on_is_not_shown() -> None:
    trace = T1 + b"01O Continue? \n" + T1 + b"00O timeout\n" + T2 + b"01O+"
    assert fed(Stripper(b"> "), [trace]) == b"> Continue? \n> timeout\n"
    assert text_of(trace, 1) == b"Continue? "


@given(st.lists(st.integers(0, len(TRACE)), max_size=5), st.booleans())
def test_no_split_changes_the_text(cuts: list[int], timestamps: bool) -> None:
    places = [0, *sorted(cuts), len(TRACE)]
    pieces = [TRACE[a:b] for a, b in pairwise(places)]
    whole = fed(Stripper(b"p:", timestamps=timestamps), [TRACE])
    assert fed(Stripper(b"p:", timestamps=timestamps), pieces) == whole


def test_an_empty_trace_has_no_text() -> None:
    assert fed(Stripper(b"> "), [b""]) == b""


def test_pieces_with_all_that_is_known_of_them() -> None:
    first, *_, empty, foreign, last = parse(TRACE)
    assert first == Piece(1_795_400_956_000_001, 0, b"Preparing")
    assert empty == Piece(1_795_401_556_000_002, 1, b"", error=True)
    assert foreign == Piece(None, 0, b"no header + here")
    assert last == Piece(1_795_401_556_000_002, 1, b"end", ended=False)
    assert [piece.continued for piece in parse(TRACE)].count(True) == 2


def test_the_text_of_one_stream() -> None:
    assert text_of(TRACE, 1) == b"Continue? yes\n\nend"
    assert text_of(T1 + b"01O+rest of what was left out\n", 1) == b"rest of what was left out\n"
