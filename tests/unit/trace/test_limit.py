from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.trace.limit import Limiter

CHUNKS = st.lists(
    st.lists(st.integers(0, 12).map(lambda size: b"H" + b"x" * size + b"\n"), max_size=5).map(
        b"".join
    ),
    max_size=12,
)


@given(CHUNKS, st.integers(0, 120))
def test_head_and_tail_are_whole_pieces_and_fit(chunks: list[bytes], limit: int) -> None:
    limiter = Limiter(limit)
    head, taken = b"", 0
    for chunk in chunks:
        head += limiter.admit(chunk)
        taken += len(chunk)
        assert len(head) + limiter.waiting + limiter.dropped == taken
        assert limiter.waiting <= limit // 4 + max(map(len, chunks))
    tail = limiter.tail()
    everything = b"".join(chunks)
    assert everything.startswith(head)
    assert everything.endswith(tail)
    assert head == b"" or head.endswith(b"\n")
    assert tail == b"" or tail.startswith(b"H")
    assert len(head) + len(tail) <= max(limit, 1)
    assert (limiter.waiting, limiter.dropped) == (0, len(everything) - len(head) - len(tail))
    assert limiter.full == (head != everything)


def test_what_fits_is_not_touched() -> None:
    limiter = Limiter(100)
    assert limiter.admit(b"H a\n") == b"H a\n"
    assert not limiter.full
    assert limiter.tail() == b""


def test_an_added_newline_belongs_to_the_head() -> None:
    limiter = Limiter(4)
    assert limiter.admit(b"H a") == b"H a"
    assert limiter.admit(b"\nH+b") == b"\n"
    assert limiter.full


def test_an_added_newline_does_not_begin_the_tail() -> None:
    limiter = Limiter(16)  # 12 and 4
    limiter.admit(b"H" * 11 + b"\n")
    for chunk in (b"H a", b"\nH+b"):
        assert limiter.admit(chunk) == b""
    assert limiter.tail() == b"H+b"


def test_a_tail_shorter_than_a_piece_is_empty() -> None:
    limiter = Limiter(8)
    limiter.admit(b"H long piece\nH and another")
    assert limiter.tail() == b""
    assert limiter.dropped == 26


def test_the_tail_is_bounded_whatever_the_limit() -> None:
    limiter = Limiter(1 << 40)
    assert limiter.room == (1 << 40) - (1 << 20)
