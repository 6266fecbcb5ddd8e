"""UTF-8 against the table of well-formed sequences in the Unicode standard (table 3-7), read one
byte at a time as Go's ``utf8.DecodeRune`` does: what is not well formed costs one byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.trace.utf8 import Utf8

WELL_FORMED = (
    ((0x00, 0x7F),),
    ((0xC2, 0xDF), (0x80, 0xBF)),
    ((0xE0, 0xE0), (0xA0, 0xBF), (0x80, 0xBF)),
    ((0xE1, 0xEC), (0x80, 0xBF), (0x80, 0xBF)),
    ((0xED, 0xED), (0x80, 0x9F), (0x80, 0xBF)),
    ((0xEE, 0xEF), (0x80, 0xBF), (0x80, 0xBF)),
    ((0xF0, 0xF0), (0x90, 0xBF), (0x80, 0xBF), (0x80, 0xBF)),
    ((0xF1, 0xF3), (0x80, 0xBF), (0x80, 0xBF), (0x80, 0xBF)),
    ((0xF4, 0xF4), (0x80, 0x8F), (0x80, 0xBF), (0x80, 0xBF)),
)


def sequence_at(text: bytes, at: int) -> int:
    """The size of the well-formed sequence at `at`, 0 if there is none."""
    for ranges in WELL_FORMED:
        part = text[at : at + len(ranges)]
        if len(part) == len(ranges) and all(
            low <= byte <= high for byte, (low, high) in zip(part, ranges, strict=True)
        ):
            return len(ranges)
    return 0


def slowly_repaired(text: bytes) -> tuple[bytes, int]:
    out, at, replaced = b"", 0, 0
    while at < len(text):
        size = sequence_at(text, at)
        out += text[at : at + size] if size else b"\xef\xbf\xbd"
        replaced += not size
        at += size or 1
    return out, replaced


BYTES = st.lists(
    st.sampled_from([b"a", b"\n", "é".encode(), "─".encode(), "🐤".encode(), b"\xe2\x94"])
    | st.binary(min_size=1, max_size=3)
    | st.integers(0x80, 0xFF).map(lambda byte: bytes([byte])),
    max_size=20,
).map(b"".join)


@given(BYTES, st.integers(0, 40))
def test_same_as_the_slow_version_for_any_split(text: bytes, cut: int) -> None:
    expected, count = slowly_repaired(text)
    for pieces in ([text], [text[:cut], text[cut:]], [bytes([byte]) for byte in text]):
        utf8 = Utf8()
        out = b""
        taken = 0
        for piece in pieces:
            out += utf8.feed(piece)
            taken += len(piece)
            assert utf8.held <= 3
            assert len(out) == taken - utf8.held + 2 * utf8.replaced
        assert out + utf8.finish() == expected
        assert (utf8.held, utf8.replaced) == (0, count)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"\xe2\x94a", "\ufffd\ufffda"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"\xf0\x80\x80\x80", "\ufffd" * 4),
        (b"\xed\xa0\x80", "\ufffd" * 3),  # a surrogate
        (b"\xc0\xaf", "\ufffd" * 2),  # not the shortest form
        (b"\xf4\x90\x80\x80", "\ufffd" * 4),  # beyond U+10FFFF
        ("\ufffd─🐤".encode(), "\ufffd─🐤"),
        (b"\xf0\x9f\x90", "\ufffd" * 3),
    ],
)
def test_each_invalid_byte_is_replaced_as_in_go(text: bytes, expected: str) -> None:
    utf8 = Utf8()
    assert utf8.feed(text) + utf8.finish() == expected.encode()


def test_an_incomplete_sequence_waits() -> None:
    utf8 = Utf8()
    assert (utf8.feed(b"a\xe2\x94"), utf8.held) == (b"a", 2)
    assert (utf8.feed(b"\x80b"), utf8.held) == ("─b".encode(), 0)
