"""Variables inside text, and inside each other.

The rules are those of gitlab-runner, which has the last word on every value:
``$NAME`` and ``${NAME}`` become the variable's value, ``$$`` becomes ``$``, an unknown name and
the shell's own parameters (``$1``, ``$?``, ``$@``…) become nothing; any other ``$`` stays.
``%NAME%`` is text. Source: https://docs.gitlab.com/ci/variables/where_variables_can_be_used/.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from typing import Protocol

from tracekeeper.errors import UsageError

MAX_VALUE = 1024 * 1024
"""Most characters that a value may grow to by expansion: a few short variables that name each
other twice would otherwise fill the memory."""

_REFERENCE = re.compile(r"\$(?:\{([^}]*)\}|([A-Za-z_][A-Za-z0-9_]*|[*#$@!?0-9-])|\{)")


class VariableLike(Protocol):
    """What `resolve` asks of a variable: a pipeline's `Variable` or a payload's `JobVariable`."""

    @property
    def key(self) -> str:
        """The name."""
        ...

    @property
    def value(self) -> str:
        """The value as written."""
        ...

    @property
    def raw(self) -> bool:
        """Whether ``$`` in the value is plain text."""
        ...

    @property
    def file(self) -> bool:
        """Whether the job gets the value in a file."""
        ...


def expand(text: str, values: Mapping[str, str], *, keep_unknown: bool = False) -> str:
    """`text` with every reference replaced by its value, once: values are not expanded again.

    With `keep_unknown`, references to unknown names and ``$$`` stay as they are, as GitLab leaves
    them in the globs of ``rules: changes`` and ``rules: exists``.
    """
    if "$" not in text:
        return text
    return _REFERENCE.sub(_replacement(values, keep_unknown), text)


def references(text: str) -> set[str]:
    """The names that `text` refers to, the shell's own parameters included."""
    if "$" not in text:
        return set()
    return {name for match in _REFERENCE.finditer(text) if (name := _name(match))}


def resolve(variables: Iterable[VariableLike], *, files: str = "") -> dict[str, str]:
    """Each variable's final value. Of two with one key the later wins.

    References between values are followed in any order. A value that refers to its own key gets
    the weaker variable of that name (``PATH: $PATH:/opt/bin`` over a global ``PATH``), or keeps
    the reference where there is none. Values that are part of a circular reference, or lead to
    one, stay unexpanded (GitLab refuses to make such a pipeline). A raw value is never
    expanded, a reference to it gives it as it is.

    `files` is the directory of file variables: references to one give its path there. Without
    `files` they give its content, as in rules. The result always has the content.

    Raises UsageError where a value would grow beyond `MAX_VALUE` characters.
    """
    definitions = tuple(variables)
    targets = _targets(definitions)
    values = [variable.value for variable in definitions]
    for index in _dependencies_first(targets):
        if index in targets:
            values[index] = _expanded(index, definitions, targets[index], values, files)
    return {variable.key: value for variable, value in zip(definitions, values, strict=True)}


def _targets(definitions: Sequence[VariableLike]) -> dict[int, dict[str, int]]:
    """For each definition that has references: the definition that each name stands for."""
    last: dict[str, int] = {}
    weaker: dict[int, int] = {}
    for index, variable in enumerate(definitions):
        if variable.key in last:
            weaker[index] = last[variable.key]
        last[variable.key] = index

    def named(index: int, name: str) -> int | None:
        return weaker.get(index) if name == definitions[index].key else last.get(name)

    return {
        index: {
            name: target
            for name in sorted(references(variable.value))
            if (target := named(index, name)) is not None
        }
        for index, variable in enumerate(definitions)
        if "$" in variable.value and not variable.raw
    }


def _dependencies_first(targets: Mapping[int, Mapping[str, int]]) -> Iterator[int]:
    """Definitions in an order that can be expanded; those that no order suits are left out."""
    graph = {index: names.values() for index, names in targets.items()}
    sorter = TopologicalSorter(graph)
    with suppress(CycleError):  # the sorter still hands out all that no cycle blocks
        sorter.prepare()
    while sorter.is_active():
        ready = sorter.get_ready()
        yield from ready
        sorter.done(*ready)


def _expanded(
    index: int,
    definitions: Sequence[VariableLike],
    targets: Mapping[str, int],
    values: Sequence[str],
    files: str,
) -> str:
    variable = definitions[index]
    scope = {variable.key: f"${variable.key}"}
    for name, target in targets.items():
        by_path = definitions[target].file and files
        scope[name] = f"{files}/{name}" if by_path else values[target]
    if _expanded_size(variable.value, scope) > MAX_VALUE:
        raise UsageError(
            f"the value of variable {variable.key} grows beyond {MAX_VALUE} characters "
            "when its references are expanded",
            hint="let it refer to fewer or shorter variables, or set expand: false",
        )
    return expand(variable.value, scope)


def _expanded_size(text: str, scope: Mapping[str, str]) -> int:
    """At least the size of `expand(text, scope)`, without making it."""
    return len(text) + sum(len(scope.get(_name(m), "")) for m in _REFERENCE.finditer(text))


def _name(match: re.Match[str]) -> str:
    """What a match of `_REFERENCE` refers to; empty for ``${}`` and an unclosed ``${``."""
    return match[1] or match[2] or ""


def _replacement(values: Mapping[str, str], keep_unknown: bool) -> Callable[[re.Match[str]], str]:
    def replace(match: re.Match[str]) -> str:
        name = _name(match)
        if name in values:
            return values[name]
        if keep_unknown:
            return match[0]
        return "$" if name == "$" else ""

    return replace
