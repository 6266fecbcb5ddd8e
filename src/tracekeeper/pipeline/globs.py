r"""Globs of ``rules: changes`` and ``rules: exists``.

GitLab matches them with Ruby's ``File.fnmatch`` and the flags ``FNM_PATHNAME``, ``FNM_DOTMATCH``
and ``FNM_EXTGLOB``: ``*``, ``?`` and ``[…]`` stop at ``/``, a leading dot is nothing special,
``**/`` at the start of a segment is any number of directories, ``{a,b}`` is either, ``\`` takes
the next character as it is. ``**`` anywhere else is ``*``: ``docs/**`` matches no file below
``docs/api/``. Source: https://docs.gitlab.com/ci/yaml/#ruleschanges and Ruby's ``File.fnmatch``.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

MAX_LENGTH = 4096
"""The longest pattern, in characters: Linux knows no longer path."""

MAX_BRACES = 1000
"""How many braces are expanded in one pattern; twenty of ``{a,b}`` in a row mean a million."""

_ANY = "[^/]"
_NEVER = "(?!)"


class GlobError(ValueError):
    """A pattern that is too long or expands to too many."""


def matches(pattern: str, path: str) -> bool:
    """Whether `path` as a whole matches `pattern`. Raises GlobError."""
    return compile_glob(pattern).fullmatch(path) is not None


@lru_cache(maxsize=1024)
def compile_glob(pattern: str) -> re.Pattern[str]:
    """The regular expression whose ``fullmatch`` is `pattern`. Raises GlobError."""
    if len(pattern) > MAX_LENGTH:
        raise GlobError(f"the pattern has more than {MAX_LENGTH} characters")
    alternatives = [_translate(plain) for plain in _expand_braces(pattern)]
    return re.compile("|".join(alternatives) if alternatives else _NEVER)


def _expand_braces(pattern: str) -> Iterator[str]:
    """`pattern` once for each choice that its braces leave.

    As in Ruby, a brace that is never closed makes the pattern match nothing.
    """
    waiting = [pattern]
    seen = 0
    while waiting:
        seen += 1
        if seen > MAX_BRACES:
            raise GlobError(f"the braces of the pattern stand for more than {MAX_BRACES} patterns")
        current = waiting.pop()
        start, end = _outer_braces(current)
        if start is None:
            yield current
        elif end is not None:
            choices = _choices(current[start + 1 : end])
            waiting += [current[:start] + choice + current[end + 1 :] for choice in choices]


def _outer_braces(pattern: str) -> tuple[int | None, int | None]:
    """Where the first brace opens and closes."""
    start, depth = None, 0
    for index, char in _unescaped(pattern):
        if char == "{":
            start = index if start is None else start
            depth += 1
        elif char == "}" and start is not None:
            depth -= 1
            if depth == 0:
                return start, index
    return start, None


def _choices(inner: str) -> Iterator[str]:
    """The text between braces, split at its own commas."""
    begin, depth = 0, 0
    for index, char in _unescaped(inner):
        depth += {"{": 1, "}": -1}.get(char, 0)
        if char == "," and depth == 0:
            yield inner[begin:index]
            begin = index + 1
    yield inner[begin:]


def _unescaped(text: str) -> Iterator[tuple[int, str]]:
    escaped = False
    for index, char in enumerate(text):
        if escaped or char == "\\":
            escaped = not escaped
            continue
        yield index, char


def _translate(pattern: str) -> str:
    """`pattern`, without braces, as a regular expression.

    All between two wildcards of a kind is tried at its first place only: a later place could
    never do more, and without backtracking no pattern takes exponential time.
    """
    runs: list[str] = [""]
    at = 0
    while at <= len(pattern):
        if pattern.startswith("**/", at):
            at += 3
            runs.append("")
            continue
        segment, at = _segment(pattern, at)
        runs[-1] += segment
    return _joined(runs, "(?:[^/]*/)*")


def _segment(pattern: str, at: int) -> tuple[str, int]:
    """One segment from `at` with the ``/`` that ends it, and where the next begins."""
    runs = [""]
    while at < len(pattern):
        char = pattern[at]
        if char == "*":
            at += 1
            runs.append("")
            continue
        single, at = _single(pattern, at)
        if single == "/":
            return _joined(runs, "[^/]*") + "/", at
        runs[-1] += single
    return _joined(runs, "[^/]*"), at + 1


def _joined(runs: list[str], wildcard: str) -> str:
    if len(runs) == 1:
        return runs[0]
    first, *middle, last = runs
    return first + "".join(f"(?>{wildcard}?{run})" for run in middle if run) + wildcard + last


def _single(pattern: str, at: int) -> tuple[str, int]:
    """What stands for one character at `at`, and where it ends."""
    char = pattern[at]
    if char == "?":
        return _ANY, at + 1
    if char == "[":
        return _bracket(pattern, at + 1)
    if char != "\\":
        return re.escape(char), at + 1
    return re.escape(pattern[at + 1 : at + 2]), at + 2


def _bracket(pattern: str, at: int) -> tuple[str, int]:
    """A character class whose ``[`` stands before `at`. Ruby's rules: ``]`` always closes it,
    an empty one matches nothing, an empty negated one anything, an open one nothing."""
    negated = pattern[at : at + 1] in ("!", "^")
    at += negated
    members = ""
    while at < len(pattern):
        if pattern[at] == "]":
            return _character_class(members, negated), at + 1
        low, at = _member(pattern, at)
        high = low
        if pattern[at : at + 1] == "-" and pattern[at + 1 : at + 2] != "]":
            high, at = _member(pattern, at + 1)
        members += _range(low, high)
    return _NEVER, at


def _member(pattern: str, at: int) -> tuple[str, int]:
    at += pattern[at : at + 1] == "\\"
    return pattern[at : at + 1], at + 1


def _range(low: str, high: str) -> str:
    """Ruby takes the ends of a range that runs backwards as two single characters."""
    between = "-" if low <= high else ""
    return re.escape(low) + between + re.escape(high)


def _character_class(members: str, negated: bool) -> str:
    if negated:
        return f"[^/{members}]"
    return f"(?!/)[{members}]" if members else _NEVER
