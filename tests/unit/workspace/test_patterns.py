"""Globs against a slow matcher that follows the rules one by one."""

from functools import cache

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tracekeeper.errors import WorkspaceError
from tracekeeper.workspace.patterns import compile_glob, expand_braces

LETTERS = "ab."
names = st.text(LETTERS, min_size=1, max_size=4)
paths = st.lists(names, min_size=1, max_size=4).map("/".join)
pieces = st.sampled_from(["a", "b", ".", "*", "?", "[ab]", "[!a]", "[^b]", "[a-b]", "\\a", "\\*"])
components = st.lists(pieces, min_size=1, max_size=4).map("".join) | st.just("**")
globs = st.lists(components, min_size=1, max_size=4).map("/".join)


def matches(glob: str, path: str) -> bool:
    return any(compile_glob(plain).fullmatch(path) for plain in expand_braces(glob))


def slow_match(glob: str, path: str) -> bool:
    return slow_components(tuple(glob.split("/")), tuple(path.split("/")))


def slow_components(globs: tuple[str, ...], names: tuple[str, ...]) -> bool:
    if not globs:
        return not names
    if globs[0] == "**":
        return any(slow_components(globs[1:], names[skip:]) for skip in range(len(names) + 1))
    return bool(names) and slow_name(globs[0], names[0]) and slow_components(globs[1:], names[1:])


@cache
def slow_name(glob: str, name: str) -> bool:
    if not glob:
        return not name
    if glob[0] == "*":
        return slow_name(glob[1:], name) or (bool(name) and slow_name(glob, name[1:]))
    if not name:
        return False
    if glob[0] == "[":
        end = glob.index("]")
        members = {"[ab]": "ab", "[!a]": "b.", "[^b]": "a.", "[a-b]": "ab"}[glob[: end + 1]]
        return name[0] in members and slow_name(glob[end + 1 :], name[1:])
    if glob[0] == "\\":
        return name[0] == glob[1] and slow_name(glob[2:], name[1:])
    return glob[0] in ("?", name[0]) and slow_name(glob[1:], name[1:])


@given(globs, paths)
@example("**/**/a", "a")
@example("a/**", "a")
@example("a/**/**", "a/b")
@example("**a/b", "aa/b")
def test_agrees_with_the_slow_matcher(glob: str, path: str) -> None:
    assert matches(glob, path) == slow_match(glob, path)


@pytest.mark.parametrize(
    ("glob", "path", "expected"),
    [
        ("*.txt", "notes.txt", True),
        ("*.txt", ".txt", True),
        ("*.txt", "d/notes.txt", False),
        ("**/*.txt", "notes.txt", True),
        ("**/*.txt", "d/.hidden/notes.txt", True),
        ("d/**", "d", True),
        ("d/**/x", "d/x", True),
        ("d/**/x", "dx", False),
        ("**x", "d/x", False),
        ("{a,b}.txt", "b.txt", True),
        ("{a,b/c}/d", "b/c/d", True),
        ("{a,{b,c}}x", "cx", True),
        ("{a,**}/d", "x/y/d", True),
        ("a{,b}", "a", True),
        ("[{]a,b}", "{a,b}", True),
        (r"\{a,b}", "{a,b}", True),
        ("[a-c]", "b", True),
        ("[c-a]", "b", False),
        ("[!c-a]", "b", True),
        ("[!c-a]", "/", False),
        ("[+-0]", "/", False),
        ("[+-0]", ".", True),
        (r"[\]a]", "]", True),
        (r"\[a", "[a", True),
        ("a.c", "abc", False),
        ("a\nb*", "a\nbc\nd", True),
    ],
)
def test_rules(glob: str, path: str, expected: bool) -> None:
    assert matches(glob, path) is expected


@pytest.mark.parametrize("glob", ["[a", "a[", "[]", "[]a", "x/[!"])
def test_a_bracket_has_to_end(glob: str) -> None:
    with pytest.raises(WorkspaceError, match="without its ]"):
        compile_glob(glob)


@pytest.mark.parametrize("glob", ["{a", "a{b,{c}"])
def test_a_brace_has_to_end(glob: str) -> None:
    with pytest.raises(WorkspaceError, match="without its }"):
        expand_braces(glob)


def test_the_number_of_alternatives_is_bounded() -> None:
    with pytest.raises(WorkspaceError, match="more than 1000"):
        expand_braces("{a,b}" * 40)
