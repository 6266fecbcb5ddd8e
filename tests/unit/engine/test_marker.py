import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.engine.marker import EndMarker, prefix

NONCE = "0123456789abcdef"
END = prefix(NONCE) + b"17\n"


def scanned(marker: EndMarker, data: bytes, sizes: list[int]) -> bytes:
    found = b""
    for size in sizes:
        found += marker.scan(data[:size])
        data = data[size:]
    return found + marker.scan(data) + marker.flush()


@given(st.binary(max_size=100), st.binary(max_size=20), st.lists(st.integers(1, 20)))
def test_the_marker_is_taken_out_however_it_is_split(
    before: bytes, after: bytes, sizes: list[int]
) -> None:
    marker = EndMarker(NONCE)
    assert scanned(marker, before + END + after, sizes) == before + after
    assert marker.status == 17


@given(
    st.lists(st.sampled_from([END[:-1], END[:5], END[:20], b"\x1e", b"\n", b"x", b"12345\n"])),
    st.lists(st.integers(1, 20)),
)
def test_what_only_looks_like_it_is_output(parts: list[bytes], sizes: list[int]) -> None:
    data = b"".join(parts) + b"\n"
    marker = EndMarker(NONCE)
    found = scanned(marker, data, sizes)
    if marker.status is None:
        assert found == data


def test_a_newline_is_never_waited_for() -> None:
    assert EndMarker(NONCE).scan(END[:5] + b"\n") == END[:5] + b"\n"


def test_the_beginning_of_a_marker_is_held_back() -> None:
    marker = EndMarker(NONCE)
    assert marker.scan(b"text" + END[:9]) == b"text"
    assert marker.held == END[:9]
    assert marker.flush() == END[:9]
    assert marker.flush() == b""


def test_a_marker_without_its_end_is_never_output() -> None:
    marker = EndMarker(NONCE)
    assert marker.scan(END[:-2]) == b""
    assert marker.flush() == b""
    assert marker.status is None


@pytest.mark.parametrize("status", [b"1234\n", b"\n", b"x\n", b"-1\n"])
def test_a_marker_with_a_status_that_is_none(status: bytes) -> None:
    marker = EndMarker(NONCE)
    data = prefix(NONCE) + status
    assert marker.scan(data) == data


def test_a_marker_of_another_step_is_output() -> None:
    data = prefix("f" * 16) + b"0\n"
    assert EndMarker(NONCE).scan(data) == data
