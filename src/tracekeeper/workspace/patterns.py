"""Glob patterns of paths, as gitlab-runner reads them (github.com/bmatcuk/doublestar, v4).

``*``, ``?`` and ``[a-z]`` (``[!a]``, ``[^a]``) match within one path component, a component ``**``
matches any number of them, ``{a,b}`` one of several, ``\\`` takes the next character as it is.
Hidden files match like any other.
"""

import re
from collections.abc import Iterator
from itertools import islice

from tracekeeper.errors import WorkspaceError

META = re.compile(r"[*?\[{\\]")
"""Found in every pattern that is not simply a path."""

_MOST_ALTERNATIVES = 1000
_TWO = ("**", "**")
_ATOM = re.compile(r"\\.|\[[!^]?(?:\\.|[^\]\\])+\]|.", re.DOTALL)
_SET_ITEM = re.compile(r"(\\.|.)(?:-(\\.|.))?", re.DOTALL)


def expand_braces(glob: str) -> list[str]:
    """The patterns without braces that `glob` stands for.

    Raises `WorkspaceError` for a brace that does not end, and for more than 1000 patterns.
    """
    patterns = list(islice(_expand(glob), _MOST_ALTERNATIVES + 1))
    if len(patterns) > _MOST_ALTERNATIVES:
        raise WorkspaceError(f"the pattern {glob} stands for more than {_MOST_ALTERNATIVES} paths")
    return patterns


def compile_glob(glob: str) -> re.Pattern[str]:
    """A regular expression for the pattern `glob` without braces, to be used with ``fullmatch``.

    Raises `WorkspaceError` for a bracket that does not end.
    """
    expression, separator = "", ""
    components = _components(glob)
    for index, component in enumerate(components):
        if component != "**":
            expression += separator + _component(component, glob)
            separator = "/"
        elif index < len(components) - 1:
            expression += separator + "(?:.*/)?"
            separator = ""
        else:
            expression += "(?:/.*)?" if separator else ".*"
    return re.compile(expression, re.DOTALL)


def _components(glob: str) -> list[str]:
    """The path components of `glob`; several ``**`` in a row are one."""
    names = glob.split("/")
    return [
        name for name, before in zip(names, ["", *names], strict=False) if (name, before) != _TWO
    ]


def _expand(glob: str) -> Iterator[str]:
    atoms = _ATOM.findall(glob)
    if "{" not in atoms:
        yield glob
        return
    start = atoms.index("{")
    depth, alternatives = 0, [""]
    for position, atom in enumerate(atoms[start:], start):
        depth += (atom == "{") - (atom == "}")
        if depth == 0:
            head, tail = "".join(atoms[:start]), "".join(atoms[position + 1 :])
            for alternative in alternatives:
                yield from _expand(head + alternative + tail)
            return
        if atom == "," and depth == 1:
            alternatives.append("")
        elif position > start:
            alternatives[-1] += atom
    raise WorkspaceError(f"the pattern {glob} has a {{ without its }}")


def _component(component: str, glob: str) -> str:
    return "".join(_atom(atom, glob) for atom in _ATOM.findall(component))


def _atom(atom: str, glob: str) -> str:
    if atom == "*":
        return "[^/]*"
    if atom == "?":
        return "[^/]"
    if atom == "[":
        raise WorkspaceError(f"the pattern {glob} has a [ without its ]")
    if atom[0] == "[":
        return _set(atom[1:-1])
    return re.escape(atom[-1])


def _set(items: str) -> str:
    negated = items[0] in "!^"
    ranges = ""
    for low, high in _SET_ITEM.findall(items[negated:]):
        first, last = low[-1], (high or low)[-1]
        if first <= last:
            ranges += f"{re.escape(first)}-{re.escape(last)}"
    if not ranges:
        return "[^/]" if negated else "(?!)"
    return f"(?!/)[{'^' if negated else ''}{ranges}]"
