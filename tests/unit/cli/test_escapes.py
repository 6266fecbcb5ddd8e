from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tracekeeper.cli.escapes import EscapeFilter, harmless

RED, RESET = b"\x1b[31m", b"\x1b[0m"


@pytest.mark.parametrize(
    "sequence",
    [
        b"\x1b[2J",  # erase the screen
        b"\x1b[H",
        b"\x1b[10;20H",
        b"\x1b[5A",
        b"\x1b[K",
        b"\x1b[?1049h",  # the alternate screen
        b"\x1b[?25l",
        b"\x1b[>4;1m",  # xterm's keys, no colour though it ends with m
        b"\x1b[1 q",
        b"\x1b]0;title\x07",
        b"\x1b]8;;https://example.com\x1b\\",
        b"\x1b]52;c;c2VjcmV0\x07",  # the clipboard
        b"\x1bP1$r0m\x1b\\",
        b"\x1b_G\x1b\\",
        b"\x1b7",
        b"\x1bc",  # reset the terminal
        b"\x1b(B",
        b"\x1b#8",
        "\x9b2J".encode()[:2],  # CSI as one character
        b"\x07",
        b"\b",
        b"\x0b",
        b"\x0e",
        b"\x00",
        b"\x7f",
        b"\x1b",
    ],
)
def test_nothing_but_colours_gets_through(sequence: bytes) -> None:
    text = b"before " + sequence + b"\nafter\n"
    assert harmless(text, colour=True) == b"before \nafter\n"


def test_colours_stay_where_they_are_wanted() -> None:
    text = b"%ba \x1b[38;2;1;2;3m\x1b[4:3mb%b\n" % (RED, RESET)
    assert harmless(text, colour=True) == text
    assert harmless(text, colour=False) == b"a b\n"


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"])))
@example("°«é»\t日本 🎉")
def test_text_stays_as_it_is(text: str) -> None:
    for colour in (False, True):
        assert harmless(f"{text}\r\n\t".encode(), colour=colour) == f"{text}\r\n\t".encode()


ASCII = ("a", "\n", "\r", "\x1b", "[", "3", "1;", "m", "J", "]0;", "\x07", "\\", "P", "(", "\x00")
PARTS = st.sampled_from([part.encode() for part in (*ASCII, "é", "\x9b", "«")])


def filtered(parts: Sequence[bytes], *, colour: bool) -> bytes:
    escapes = EscapeFilter(colour=colour)
    return b"".join([*map(escapes.feed, parts), escapes.finish()])


@given(st.lists(PARTS).map(b"".join), st.lists(st.integers(0, 40)), st.booleans())
def test_the_filter_gives_the_same_however_text_is_split(
    text: bytes, cuts: list[int], colour: bool
) -> None:
    places = sorted({min(cut, len(text)) for cut in cuts})
    parts = [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]
    shown = filtered(parts, colour=colour)
    assert shown == filtered([text], colour=colour)
    assert shown.removesuffix(RESET) == harmless(text, colour=colour)
    assert shown.translate(None, b"\x1b").isascii() or "\x9b" not in shown.decode()


def test_colours_end_with_the_text() -> None:
    assert filtered([b"x" + RED], colour=True) == b"x" + RED + RESET
    assert filtered([b"x" + RED], colour=False) == b"x"


def test_what_never_ends_is_not_kept_for_ever() -> None:
    escapes = EscapeFilter(colour=True)
    escapes.feed(b"\x1b]0;")
    shown = b"".join(escapes.feed(b"x" * 1000) for _ in range(100))
    assert len(shown) > 90_000
