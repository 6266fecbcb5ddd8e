import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.cli.cells import clip, clip_start, pad, plain, width

FAMILY = "👩\u200d👧"


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("", 0),
        ("abc", 3),
        ("日本", 4),
        ("🚀", 2),
        ("e\u0301", 1),
        ("⠋", 1),
        ("…│✓", 3),
        (FAMILY, 4),
    ],
)
def test_width(text: str, columns: int) -> None:
    assert width(text) == columns


def test_padding_counts_columns() -> None:
    assert pad("日本", 6) == "日本  "
    assert pad("1.2 s", 8, right=True) == "   1.2 s"
    assert pad("longer", 3) == "longer"


@pytest.mark.parametrize(
    ("text", "cells", "end", "start"),
    [
        ("abcdef", 6, "abcdef", "abcdef"),
        ("abcdef", 4, "abc…", "…def"),
        ("日本語", 4, "日…", "…語"),
        ("abc", 1, "…", "…"),
        ("abc", 0, "", ""),
        ("abc", -3, "", ""),
    ],
)
def test_clipping(text: str, cells: int, end: str, start: str) -> None:
    assert clip(text, cells) == end
    assert clip_start(text, cells) == start


@given(st.text(), st.integers(-2, 20))
def test_clipped_text_fits(text: str, cells: int) -> None:
    for clipped in (clip(text, cells), clip_start(text, cells)):
        assert width(clipped) <= max(0, cells)


@given(st.text())
def test_plain_text_has_nothing_a_terminal_acts_on(text: str) -> None:
    assert plain(text).isprintable()
    assert len(plain(text)) == len(text)
