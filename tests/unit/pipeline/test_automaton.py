"""The automaton: linear time, bounded size."""

import pytest

from tracekeeper.pipeline import automaton
from tracekeeper.pipeline.automaton import (
    Automaton,
    Char,
    Choice,
    Place,
    RegexError,
    Repeat,
    Series,
    Tree,
    is_word,
)

A = Char(lambda char: char == "a")
B = Char(lambda char: char == "b")
END = Place(lambda _before, after: not after)


def whole(tree: Tree) -> Automaton:
    """Matches texts that `tree` matches from start to end."""
    return Automaton(Series((Place(lambda before, _after: not before), tree, END)))


@pytest.mark.parametrize(
    ("tree", "matching", "others"),
    [
        (A, ["a"], ["", "b", "aa"]),
        (Series((A, B)), ["ab"], ["a", "ba"]),
        (Series(()), [""], ["a"]),
        (Choice((A, B)), ["a", "b"], ["", "ab"]),
        (Repeat(A, 0, None), ["", "a", "aaa"], ["b"]),
        (Repeat(A, 1, None), ["a", "aaa"], [""]),
        (Repeat(A, 0, 1), ["", "a"], ["aa"]),
        (Repeat(A, 2, 3), ["aa", "aaa"], ["a", "aaaa"]),
        (Repeat(Repeat(A, 0, None), 0, None), ["", "aa"], ["b"]),
    ],
)
def test_matches(tree: Tree, matching: list[str], others: list[str]) -> None:
    assert all(whole(tree).search(text) for text in matching)
    assert not any(whole(tree).search(text) for text in others)


def test_finds_a_match_anywhere() -> None:
    assert Automaton(Series((A, B))).search("xxabxx")
    assert not Automaton(Series((A, B))).search("xxa")


def test_a_pattern_that_would_backtrack_for_ever_takes_linear_time() -> None:
    many = Repeat(Repeat(A, 1, None), 1, None)
    assert not whole(Series((many, B))).search("a" * 20_000)


def test_forgets_steps_rather_than_keep_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automaton, "_MAX_STEPS", 2)
    pattern = Automaton(Series((A, B)))
    assert pattern.search("xyzab")
    assert not pattern.search("xyzba")


def test_too_many_repetitions_are_refused() -> None:
    Automaton(Repeat(A, 1000, None))
    Automaton(Repeat(Repeat(A, 10, 10), 100, 100))
    with pytest.raises(RegexError, match="more than 1000 times"):
        Automaton(Repeat(A, 0, 1001))
    with pytest.raises(RegexError, match="more than 1000 times"):
        Automaton(Repeat(Repeat(A, 33, 33), 33, 33))


def test_too_large_a_pattern_is_refused() -> None:
    with pytest.raises(RegexError, match="too large"):
        Automaton(Repeat(Series((A,) * 20), 900, 900))


def test_words_are_ascii() -> None:
    assert all(map(is_word, "azAZ09_"))
    assert not any(map(is_word, ["", "-", "é", " ", "\n", "٣"]))
