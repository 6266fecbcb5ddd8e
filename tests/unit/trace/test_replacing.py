import pytest

from tracekeeper.trace.masks import Masks
from tracekeeper.trace.replacing import Replacer


def test_values_are_replaced_and_counted() -> None:
    replacer = Replacer(Masks(["alpha", "eight888", "x1"]))
    text = b"alpha eight888 alpha\nx1x1\nnothing\n"
    masked = b"[MASKED] [MASKED] [MASKED]\n[MASKED][MASKED]\nnothing\n"
    assert replacer.mask(text) == (masked, 5)


def test_a_value_that_comes_late_is_found_as_well() -> None:
    replacer = Replacer(Masks(["first", "second"]))
    text = b"first\n" * 1000 + b"second\n"
    assert replacer.mask(text) == (b"[MASKED]\n" * 1001, 1001)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (["aba"], b"ababa"),  # overlaps itself
        (["abc", "cde"], b"abcde"),  # overlaps another
        (["cde", "abc"], b"abcde"),
        (["pass", "password"], b"password"),  # holds another
        (["glrt"], b"glrt-"),  # is in a prefix
        (["glrt-"], b"glrt-x"),  # is a prefix
        (["a-glrt-b"], b"a-glrt-b"),  # holds a prefix
        (["agl"], b"aglrt-x"),  # overlaps a prefix
        (["rt-x"], b"glrt-x"),
        (["x"], b"glrt-1"),  # a token
        (["x"], b"x ?rss_token=1"),  # a parameter
        (["MASK"], b"MASK"),  # would be found in what was put in
        (["]x"], b"]x"),
        (["x["], b"x["),
        (["x[MASKED]"], b"x[MASKED]"),
        (["x", "]y"], b"xy ]y"),
        (["x" * 65], b"x" * 65),  # is looked for by its head
        (["xy", "y" * 65], b"x" + b"y" * 65),
    ],
)
def test_it_declines_what_it_cannot_do_exactly(values: list[str], text: bytes) -> None:
    assert Replacer(Masks(values)).mask(text) is None


@pytest.mark.parametrize(
    ("values", "text"),
    [(["abc", "cde"], b"abc cde"), (["pass", "password"], b"pass wor"), (["aba"], b"aba ba")],
)
def test_what_could_collide_but_does_not_is_no_reason_to_decline(
    values: list[str], text: bytes
) -> None:
    assert Replacer(Masks(values)).mask(text) is not None
