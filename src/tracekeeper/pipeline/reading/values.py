"""Readers of plain values, and of mappings by a table of keywords.

A reader takes a node, the keyword's name for messages (``artifacts:when``) and the findings. It
reports what is wrong and returns a value of its type in any case, so that reading goes on; the
value of a file with errors is never used.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, TypeAlias, TypeVar

from tracekeeper.pipeline import node as nodes
from tracekeeper.pipeline.durations import parse_duration
from tracekeeper.pipeline.nearest import nearest
from tracekeeper.pipeline.node import Node
from tracekeeper.pipeline.reading.findings import Findings

T = TypeVar("T")
Text = TypeVar("Text", bound=str)
Reader: TypeAlias = Callable[[Node, str, Findings], T]
Table: TypeAlias = Mapping[str, Reader[Any]]

MAX_NESTING = 10
"""How deep lists may lie in each other where GitLab flattens them."""

_FEW = 12


def kind(node: Node) -> str:
    """What `node` is, in the words of a message."""
    match node:
        case nodes.Mapping():
            return "a mapping"
        case nodes.Sequence():
            return "a list"
        case nodes.Reference():
            return "a !reference"
        case nodes.Scalar(value=None):
            return "empty"
        case nodes.Scalar(value=bool()):
            return "a boolean"
        case nodes.Scalar(value=str()):
            return "a string"
    return "a number"


def is_absent(node: Node | None) -> bool:
    """Whether a keyword is not given: GitLab takes one with the value null as absent, too."""
    return node is None or (isinstance(node, nodes.Scalar) and node.value is None)


def wrong_type(node: Node, what: str, form: str, findings: Findings, hint: str = "") -> None:
    """Report that `what` must have another form."""
    findings.error("wrong_type", f"`{what}` must be {form}, not {kind(node)}", node.at, hint)


def wrong_value(node: Node, message: str, findings: Findings, hint: str = "") -> None:
    """Report a value of the right type that cannot be."""
    findings.error("wrong_value", message, node.at, hint)


def not_acted_on(node: Node, what: str, findings: Findings) -> None:
    """The reader of a keyword that GitLab knows and that has no effect here: named, not read."""
    findings.warn(
        "not_acted_on", f"`{what}` is accepted, but has no effect in Tracekeeper", node.at
    )


def fields(
    node: Node, what: str, table: Table, findings: Findings, form: str = "a mapping"
) -> dict[str, Any]:
    """Read a mapping by `table`: each given keyword with its value, null ones left out.

    `form` says what may stand here, for the message where `node` is no mapping.
    """
    if not isinstance(node, nodes.Mapping):
        wrong_type(node, what, form, findings, f"its keywords: {', '.join(table)}")
        return {}
    values: dict[str, Any] = {}
    for entry in node:
        key, value = entry.key, entry.value
        reader = table.get(key)
        if reader is None:
            unknown_keyword(entry, what, table, findings)
        elif reader is not_acted_on:
            if not _is_off(value):
                not_acted_on(nodes.Scalar(key, key, entry.at), _name(what, key), findings)
        elif not is_absent(value):
            values[key] = reader(value, _name(what, key), findings)
    return values


def _is_off(node: Node) -> bool:
    return is_absent(node) or (isinstance(node, nodes.Scalar) and node.value is False)


def _name(what: str, key: str) -> str:
    return f"{what}:{key}" if what else key


def unknown_keyword(
    entry: nodes.Entry, what: str, known: Collection[str], findings: Findings
) -> None:
    """Report a keyword that GitLab does not know at this level."""
    owner = f"`{what}`" if what else "a job"
    hint = suggest(entry.key, known)
    if not hint and len(known) <= _FEW:
        hint = f"known: {', '.join(known)}"
    message = f"`{entry.key}` is not a keyword of {owner}"
    findings.error("unknown_keyword", message, entry.at, hint)


def suggest(word: str, known: Iterable[str]) -> str:
    """The hint for a word that is not among the known ones; empty where none is near."""
    close = nearest(word, known)
    return f"did you mean `{close}`?" if close is not None else ""


def required(
    node: Node, what: str, key: str, values: Mapping[str, Any], findings: Findings
) -> None:
    """Report that the mapping `node` lacks `key`, unless it is there or another error said so."""
    if key not in values and isinstance(node, nodes.Mapping):
        findings.error("missing_keyword", f"`{what}` needs `{key}`", node.at)


def string(node: Node, what: str, findings: Findings) -> str:
    """A string. Numbers and booleans are refused, as GitLab does."""
    if isinstance(node, nodes.Scalar):
        if isinstance(node.value, str):
            return node.value
        hint = "" if node.value is None else f'write it in quotes: "{node.text}"'
        wrong_type(node, what, "a string", findings, hint)
        return ""
    wrong_type(node, what, "a string", findings)
    return ""


def name(node: Node, what: str, findings: Findings) -> str:
    """A string that is not empty."""
    if isinstance(node, nodes.Scalar) and node.value == "":
        wrong_value(node, f"`{what}` must not be empty", findings)
    return string(node, what, findings)


def boolean(node: Node, what: str, findings: Findings) -> bool:
    """``true`` or ``false``."""
    if isinstance(node, nodes.Scalar) and isinstance(node.value, bool):
        return node.value
    wrong_type(node, what, "true or false", findings)
    return False


def whole_number(node: Node) -> int | None:
    """The integer that `node` is, or None (booleans are none)."""
    value = node.value if isinstance(node, nodes.Scalar) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def integer(minimum: int, maximum: int) -> Reader[int]:
    """Reader of an integer between two bounds, both allowed."""

    def read(node: Node, what: str, findings: Findings) -> int:
        number = whole_number(node)
        if number is None:
            wrong_type(node, what, f"a whole number from {minimum} to {maximum}", findings)
        elif not minimum <= number <= maximum:
            message = f"`{what}` must be from {minimum} to {maximum}, not {number}"
            wrong_value(node, message, findings)
        return number or 0

    return read


def choice(options: tuple[Text, ...], hints: Mapping[str, str] | None = None) -> Reader[Text]:
    """Reader of one of some words. `hints` says more about words often written in vain."""

    def read(node: Node, what: str, findings: Findings) -> Text:
        text = string(node, what, findings)
        for option in options:
            if option == text:
                return option
        if isinstance(node, nodes.Scalar) and isinstance(node.value, str):
            hint = (hints or {}).get(text) or suggest(text, options)
            message = f"`{what}` must be one of {', '.join(options)}, not `{node.text}`"
            wrong_value(node, message, findings, hint)
        return options[0]

    return read


def flatten(node: nodes.Sequence, what: str, findings: Findings) -> tuple[Node, ...]:
    """The items of a list; lists in it (from ``!reference`` and anchors) are laid flat."""
    if not any(isinstance(item, nodes.Sequence) for item in node.items):
        return node.items
    return tuple(_flat(node, what, findings, 1))


def _flat(node: Node, what: str, findings: Findings, depth: int) -> Iterator[Node]:
    if not isinstance(node, nodes.Sequence):
        yield node
    elif depth > MAX_NESTING:
        wrong_value(node, f"`{what}` nests lists deeper than {MAX_NESTING} levels", findings)
    else:
        for item in node.items:
            yield from _flat(item, what, findings, depth + 1)


def listed(of: Reader[T], maximum: int = 0) -> Reader[tuple[T, ...]]:
    """Reader of a list, each item read by `of`; at most `maximum` items unless that is 0."""

    def read(node: Node, what: str, findings: Findings) -> tuple[T, ...]:
        if not isinstance(node, nodes.Sequence):
            hint = f"write [{node.text}]" if isinstance(node, nodes.Scalar) else ""
            wrong_type(node, what, "a list", findings, hint)
            return ()
        items = tuple(of(item, what, findings) for item in flatten(node, what, findings))
        if 0 < maximum < len(items):
            message = f"`{what}` has {len(items)} entries, at most {maximum} are allowed"
            wrong_value(node, message, findings)
        return items

    return read


def one_or_listed(of: Reader[T]) -> Reader[tuple[T, ...]]:
    """Reader of one value, or of a list of them."""
    several = listed(of)

    def read(node: Node, what: str, findings: Findings) -> tuple[T, ...]:
        if isinstance(node, nodes.Sequence):
            return several(node, what, findings)
        return (of(node, what, findings),)

    return read


strings = listed(string)
names = listed(name)


def duration(node: Node, what: str, findings: Findings) -> int:
    """A length of time, as seconds. GitLab wants a string, also for a plain number."""
    text = string(node, what, findings)
    seconds = parse_duration(text)
    if seconds is None and text:
        hint = 'for example "90", "30 minutes", "1h 30m" or "2 days"'
        wrong_value(node, f"`{what}` is not a duration: `{text}`", findings, hint)
    return seconds or 0


def duration_below(limit: int, limit_text: str) -> Reader[int]:
    """Reader of a duration that is shorter than `limit` seconds, in words `limit_text`."""

    def read(node: Node, what: str, findings: Findings) -> int:
        seconds = duration(node, what, findings)
        if seconds >= limit:
            wrong_value(node, f"`{what}` must be less than {limit_text}", findings)
        return seconds

    return read


def or_variable(of: Reader[str]) -> Reader[str]:
    """Reader of what `of` reads, or of a text with a variable in it, left to run time."""

    def read(node: Node, what: str, findings: Findings) -> str:
        if isinstance(node, nodes.Scalar) and isinstance(node.value, str) and "$" in node.value:
            return node.value
        return of(node, what, findings)

    return read
