"""Globs, against Ruby's own answers and a slow, obviously right matcher."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracekeeper.pipeline.globs import MAX_BRACES, MAX_LENGTH, GlobError, compile_glob, matches

# pattern, path, what Ruby 3.1 says
RECORDED = [
    ("[]", "a", False),
    ("[!]", "a", True),
    ("[^]", "a", True),
    ("[!]", "/", False),
    ("[a", "a", False),
    ("[a", "[a", False),
    ("a[", "a[", False),
    ("{a", "{a", False),
    ("{a", "a", False),
    ("a}", "a}", True),
    ("{}", "", True),
    ("{a,b}", "b", True),
    ("{a,{b,c}}d", "cd", True),
    ("a\\*", "a*", True),
    ("a\\", "a\\", False),
    ("**/", "a/", True),
    ("**/", "", True),
    ("**", "a/b", False),
    ("a/**", "a/b/c", False),
    ("a/**/", "a/b/", True),
    ("a/**", "a/b", True),
    ("a**/b", "ax/b", True),
    ("a**/b", "ax/y/b", False),
    ("**/**/b", "b", True),
    ("**/a**", "x/abc", True),
    ("[a-c]", "b", True),
    ("[c-a]", "b", False),
    ("[]a]", "a", False),
    ("[]a]", "]", False),
    ("[a-]", "-", True),
    ("[-a]", "-", True),
    ("[\\]]", "]", True),
    ("[a/b]", "/", False),
    ("[!a]", "/", False),
    ("a[/]b", "a/b", False),
    ("?", "/", False),
    ("*", "", True),
    ("", "", True),
    ("*", ".a", True),
    ("**/x", ".a/x", True),
    ("{,a}", "", True),
    ("a{b", "a{b", False),
    ("a,b", "a,b", True),
    ("\\{a,b\\}", "{a,b}", True),
    ("{a\\,b}", "a,b", True),
    ("{a,b", "a", False),
    ("é?", "éa", True),
    ("[é-ü]", "ö", True),
    ("*/", "a/", True),
    ("a//b", "a//b", True),
    ("a/b", "a//b", False),
    ("**/b", "a//b", True),
    ("[\\", "\\", False),
    ("[a\\", "a", False),
    ("[a-\\", "a", False),
    ("[[]", "[", True),
    ("[[:alpha:]]", "a", False),
    ("{a,b}{c,d}", "bd", True),
    ("{**/,}x", "x", True),
    ("*{/,}x", "a/x", True),
    ("a*\\", "ab\\", True),
    ("*\\", "b\\", True),
    ("*\\", "b", True),
    ("a\\/b", "a/b", True),
    ("*\\/b", "a/b", True),
    ("[\\", "[\\", False),
    ("**\\/b", "a/b", True),
    ("{a}", "a", True),
    ("}{a,b}", "}a", True),
    ("**//x", "/x", True),
    ("[a-c-e]", "-", True),
    ("[!-a]", "b", True),
    ("[^^]", "^", False),
    ("/a", "/a", True),
    ("**/a", "/a", True),
    ("a/", "a", False),
    ("[!]", "ab", False),
    ("[--0]", ".", True),
    ("x[!]", "xy", True),
    ("{a,b\\}c", "bc", False),
    ("\\[a]", "[a]", True),
    ("[a]\\", "a\\", False),
    ("*.rb", "main.rb", True),
    ("*.rb", "./main.rb", False),
    ("*.rb", "lib/main.rb", False),
    ("**/*.rb", "lib/a/b.rb", True),
    ("**/*.rb", "b.rb", True),
    ("docs/**/*", "docs/a/b.md", True),
    ("docs/*", "docs/a/b.md", False),
    ("docs/**/*", "docs", False),
    ("src/**/*.{js,ts}", "src/a/b.ts", True),
    ("src/**/*.{js,ts}", "src/b.js", True),
    ("src/**/*.{js,ts}", "src/b.py", False),
    ("Dockerfile", "Dockerfile", True),
    ("Dockerfile", "x/Dockerfile", False),
    ("*", ".gitignore", True),
    ("**/.*", "a/.env", True),
    ("a/**/b/**/c", "a/x/b/y/z/c", True),
    ("a/**/b/**/c", "a/b/c", True),
    ("a/**/b/**/c", "a/x/c", False),
    ("*a*b*c", "xaybzc", True),
    ("*a*b*c", "xaybz", False),
    ("**/*a*/*b", "p/qa/rb", True),
    ("[[]a]", "[a]", True),
    ("{a/b,c}/d", "a/b/d", True),
    ("{{a,b},c}", "b", True),
    ("a{,/**}/b", "a/x/b", True),
    ("a", "A", False),
]


@pytest.mark.parametrize(("pattern", "path", "expected"), RECORDED)
def test_answers_as_ruby_does(pattern: str, path: str, expected: bool) -> None:
    assert matches(pattern, path) is expected


def slow(pattern: str, path: str) -> bool:
    """The definition, character by character: ``*``, ``?`` and ``**/`` alone."""
    segments, parts = pattern.split("/"), path.split("/")

    def segment(glob: str, name: str) -> bool:
        if not glob:
            return not name
        if glob[0] == "*":
            return any(segment(glob[1:], name[skip:]) for skip in range(len(name) + 1))
        return bool(name) and glob[0] in ("?", name[0]) and segment(glob[1:], name[1:])

    def walk(globs: list[str], names: list[str]) -> bool:
        if not globs or not names:
            return not globs and not names
        if globs[0] == "**" and len(globs) > 1:
            return any(walk(globs[1:], names[skip:]) for skip in range(len(names)))
        return segment(globs[0], names[0]) and walk(globs[1:], names[1:])

    return walk(segments, parts)


@given(st.text("ab/*?", max_size=9), st.text("ab/", max_size=9))
def test_matches_by_the_definition(pattern: str, path: str) -> None:
    assert matches(pattern, path) is slow(pattern, path)


@given(st.lists(st.text("ab*", max_size=3), min_size=1, max_size=4), st.text("ab", max_size=5))
def test_braces_are_alternatives(choices: list[str], path: str) -> None:
    braces = "x{" + ",".join(choices) + "}y"
    assert matches(braces, f"x{path}y") is any(matches(f"x{one}y", f"x{path}y") for one in choices)


@given(st.text("ab/*?[]{},!^-\\.é", max_size=12), st.text("ab/.-", max_size=8))
@settings(max_examples=300)
def test_every_text_is_a_pattern(pattern: str, path: str) -> None:
    matches(pattern, path)


def test_many_wildcards_take_no_exponential_time() -> None:
    assert not matches("*a" * 40 + "b", "a" * 200)
    assert not matches("**/a/" * 40 + "b", "a/" * 200)


def test_too_long_a_pattern_is_refused() -> None:
    matches("a" * MAX_LENGTH, "b")
    with pytest.raises(GlobError, match="more than 4096 characters"):
        compile_glob("a" * (MAX_LENGTH + 1))


def test_too_many_braces_are_refused() -> None:
    matches("{a,b}" * 8, "b" * 8)
    with pytest.raises(GlobError, match=f"more than {MAX_BRACES} patterns"):
        compile_glob("{a,b}" * 20)
