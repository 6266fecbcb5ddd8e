"""Regular expressions, against RE2's recorded answers."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.pipeline.automaton import RegexError
from tracekeeper.pipeline.regex import MAX_DEPTH, MAX_LENGTH, compile_literal

# pattern, text, whether RE2 (2022-06-01) finds a match; None where it refuses the pattern
RECORDED = [
    ("^$", "", True),
    ("a*", "", True),
    ("a*", "b", True),
    ("a*+", "a", None),
    ("a**", "a", None),
    ("a{,3}", "a{,3}", True),
    ("a{2", "a{2", True),
    ("\\Z", "", None),
    ("\\h", "h", None),
    ("[]a]", "]", True),
    ("\\pL", "é", True),
    ("\\p{Lu}", "É", True),
    ("[[:word:]]", "_", True),
    ("[[:foo:]]", "_", None),
    ("\\d", "٣", False),
    ("\\s", "\v", False),
    ("(?i)É", "é", True),
    ("\\_", "_", True),
    ("\\-", "-", True),
    ("\\e", "e", None),
    ("\\é", "é", None),
    ("a{1001}", "a", None),
    ("(a{100}){100}", "a", None),
    ("x{2}{3}", "x", None),
    ("(?x)a b", "ab", None),
    ("(?i)k", "k", True),
    ("[a-\\d]", "a", None),
    ("[\\w-z]", "-", True),
    ("[z-a]", "a", None),
    ("a|*", "a", None),
    ("*", "a", None),
    ("^*", "a", True),
    ("\\Qa.b\\E+", "a.bb", True),
    ("\\8", "8", None),
    ("\\07", "\x07", True),
    ("\\1", "1", None),
    ("\\x{41}", "A", True),
    ("\\x4", "A", None),
    ("[^a]", "\n", True),
    ("(?s).", "\n", True),
    (".", "\n", False),
    ("(?m)^b$", "a\nb\nc", True),
    ("b$", "b\n", False),
    ("(?:)", "", True),
    ("()", "", True),
    ("", "", True),
    ("(?i-s:a)", "A", True),
    ("(?-i)a", "A", False),
    ("(?", "a", None),
    ("a)", "a", None),
    ("(?P<n>a)(?P<n>b)", "ab", True),
    ("(?=a)", "a", None),
    ("\\bfoo\\b", "a foo", True),
    ("\\R", "a", None),
    ("[[:^alpha:]]", "a", False),
    ("[^[:alpha:]]", "1", True),
    ("{", "{", True),
    ("}", "}", True),
    ("]", "]", True),
    ("a{3,2}", "a", None),
    ("|", "", True),
    ("(|a)", "a", True),
    ("[[a]", "[", True),
    ("[a&&b]", "&", True),
    ("\\pN", "1", True),
    ("\\p{^L}", "1", True),
    ("\\PL", "1", True),
    ("[\\pL\\d]", "1", True),
    ("(?U)a+", "a", True),
    ("(?iU)A+?", "a", True),
    ("a??", "a", True),
    ("a?*", "a", None),
    ("(?i)", "a", True),
    ("(?i)*", "a", None),
    ("[\\b]", "a", None),
    ("\\z*", "a", True),
    ("[-a]", "-", True),
    ("[a-]", "-", True),
    ("[a-c-e]", "-", True),
    ("[]", "a", None),
    ("[^]", "a", None),
    ("(?P=n)", "a", None),
    ("\\Aab", "ab", True),
    ("\\Q\\E*", "a", None),
    ("\\p{Any}", "a", True),
    ("\\p{foo}", "a", None),
    ("(?i)[k]", "k", True),
    ("(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", False),
    ("^v\\d+\\.\\d+$", "v1.20", True),
    ("^v\\d+\\.\\d+$", "v1.20-rc", False),
    ("(?i)a(?-i)b", "AB", False),
    ("(?i)a(?-i)b", "Ab", True),
    ("(?i:a)b", "Ab", True),
    ("x{2,}$", "axx", True),
    ("x{2,3}y", "axxxxy", True),
    ("^x{2}$", "xxx", False),
    ("(a|b)c|d", "bc", True),
    ("(?:a|)b$", "cb", True),
    ("[a-c\\]]", "]", True),
    ("\\x{110000}", "a", None),
    ("[a", "a", None),
    ("a(b", "ab", None),
    ("[[:upper:][:digit:]]$", "a1", True),
    ("\\B", "a", False),
    ("(?m)^$", "a\n", True),
    ("\\D", "1", False),
    ("\\W", "_", False),
    ("\\S", " ", False),
]


def search(pattern: str, text: str, flags: str = "") -> bool | None:
    try:
        return compile_literal(f"/{pattern}/{flags}").search(text)
    except RegexError:
        return None


@pytest.mark.parametrize(("pattern", "text", "expected"), RECORDED)
def test_answers_as_re2_does(pattern: str, text: str, expected: bool | None) -> None:
    assert search(pattern, text) is expected


@pytest.mark.parametrize(
    ("pattern", "flags", "text", "expected"),
    [
        ("^main$", "", "MAIN", False),
        ("^main$", "i", "MAIN", True),
        ("[a-c]x", "i", "BX", True),
        ("[^a]x", "i", "Ax", False),
        ("a.b", "", "a\nb", False),
        ("a.b", "s", "a\nb", True),
        ("^b$", "", "a\nb\nc", False),
        ("^b$", "m", "a\nb\nc", True),
        ("^A.b$", "ims", "x\na\nB\ny", True),
        ("a+?b", "U", "aab", True),
        (r"feature\/.*", "", "feature/x", True),
        ("a/b", "", "a/b", True),
        (r"(?i)\p{Lu}", "", "é", True),
        (r"\p{Any}", "", "é", True),
        (r"(?<year>\d{4})", "", "in 2026", True),
    ],
)
def test_flags_and_slashes(pattern: str, flags: str, text: str, expected: bool) -> None:
    assert search(pattern, text, flags) is expected


@pytest.mark.parametrize(
    ("literal", "message"),
    [
        ("main", "between two slashes"),
        ("/main", "between two slashes"),
        ("/main/x", "between two slashes"),
        ("/a\nb/", "between two slashes"),
        ("/a(b/", r"a \( has no \)"),
        ("/ab)/", r"a \) without its \("),
        ("/[ab/", r"a \[ has no \]"),
        ("/(?=ab)/", r"no group that starts with \(\?="),
        (r"/ab\Z/", r"no escape \\Z"),
        ("/+ab/", r"nothing before \+"),
        ("/a++/", r"\+ follows another repetition"),
        ("/a{3,2}/", "asks for more than it allows"),
        ("/a{1001}/", "more than 1000 times"),
        ("/[b-a]/", "the range b-a runs backwards"),
        ("/[[:nope:]]/", r"no class \[:nope:\]"),
        (r"/\p{Greek}/", "not supported: only categories"),
        (r"/\x{110000}/", "no character 110000"),
        ("/" + "(" * (MAX_DEPTH + 1) + "a" + ")" * (MAX_DEPTH + 1) + "/", "nested more than"),
        ("/" + "a" * (MAX_LENGTH + 1) + "/", "more than 10000 characters"),
    ],
)
def test_says_what_is_wrong(literal: str, message: str) -> None:
    with pytest.raises(RegexError, match=message):
        compile_literal(literal)


PARTS = st.sampled_from(
    [
        "a",
        "b",
        "c",
        ".",
        "^",
        "$",
        "(?:a|b)",
        "(b|)",
        "[ab]",
        "[^a]",
        "\\b",
        "a*",
        "b+",
        "c?",
        "|",
        "a{2}",
        "b{1,2}",
        "(?:ab)*",
        "(?:a*b)+",
    ]
)


@given(st.lists(PARTS, min_size=1, max_size=6), st.text("abc d", max_size=8))
def test_finds_what_a_backtracking_engine_finds(parts: list[str], text: str) -> None:
    pattern = "".join(parts)
    oracle = re.compile(pattern.replace("$", r"\Z"), re.ASCII)
    assert search(pattern, text) is (oracle.search(text) is not None)


@given(st.text("ab()[]{}|*+?^$.\\-,1:PQ<>dpE", max_size=12), st.text("ab1-", max_size=6))
def test_every_text_is_a_pattern_or_refused(pattern: str, text: str) -> None:
    assert search(pattern, text) in (True, False, None)
