"""From the text of a YAML file to nodes that know where they were written.

Events of PyYAML's parser are built into nodes here, without its composer: on the way, depth and
size are bounded, and nothing is ever constructed that a pipeline cannot use.

YAML is read as GitLab reads it, with Ruby's Psych: scalars are YAML 1.1 (see `scalars`), a
duplicate key replaces the earlier one, and ``<<`` merges where it stands: keys written below it
win, keys written above it lose, and of several mappings the first wins.
"""

from collections.abc import Callable
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner

from tracekeeper.pipeline.limits import MAX_BYTES, MAX_DEPTH, MAX_FILE_ERRORS, MAX_FILE_NODES
from tracekeeper.pipeline.nearest import did_you_mean
from tracekeeper.pipeline.node import Entry, Mapping, Node, Reference, Scalar, Sequence
from tracekeeper.pipeline.scalars import is_date, resolve
from tracekeeper.pipeline.yaml_errors import explain_bad_utf8, explain_syntax_error
from tracekeeper.problems import Position, Problem

NOT_FILLED_IN = "inputs_not_filled_in"
"""The code of the warning about a file whose inputs GitLab would fill in, and this does not."""

_STANDARD = "tag:yaml.org,2002:"
_TEXT_TAGS = (None, "!", _STANDARD + "str")
_RESOLVED_TAGS = tuple(_STANDARD + name for name in ("int", "float", "bool", "null"))
_SEQUENCE_TAGS = (None, "!", _STANDARD + "seq")
_MAPPING_TAGS = (None, "!", _STANDARD + "map")
_REFERENCE_TAG = "!reference"


class _PythonParser(Reader, Scanner, Parser):
    """PyYAML's parser where its C extension is missing."""

    def __init__(self, source: str) -> None:
        Reader.__init__(self, source)
        Scanner.__init__(self)
        Parser.__init__(self)


try:
    from yaml._yaml import CParser
except ImportError:
    _EventParser: Any = _PythonParser
else:
    _EventParser = CParser


def parse(text: bytes, file: str, problems: list[Problem]) -> Node | None:
    """The config document of `text`, the content of `file`; None where there is none to work on.

    Errors and warnings are added to `problems`. A document may come back with errors: the tree
    is then what could be understood, good enough to look for further errors.
    """
    if len(text) > MAX_BYTES:
        problems.append(_too_large(file, f"is {len(text)} bytes long; at most {MAX_BYTES} may be"))
        return None
    try:
        source = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problems.append(explain_bad_utf8(error, file))
        return None
    try:
        documents = _Builder(source, file, problems).documents()
    except _Refused as refused:
        problems.append(refused.problem)
        return None
    except yaml.YAMLError as error:
        problems.append(explain_syntax_error(error, source, file))
        return None
    return _config_of(documents, file, problems)


def _config_of(documents: list[Node], file: str, problems: list[Problem]) -> Node | None:
    """Of several documents GitLab takes the first, or the second after a ``spec:`` header."""
    if not documents:
        problems.append(Problem("empty_file", "the file is empty", Position(file, 1, 1)))
        return None
    first, *others = documents
    ignored = others
    if others and isinstance(first, Mapping) and "spec" in first:
        message = "`spec` is not acted on: inputs are neither checked nor filled in"
        problems.append(Problem(NOT_FILLED_IN, message, first.entries["spec"].at, warning=True))
        first, *ignored = others
    for document in ignored:
        message = "this document is ignored: GitLab reads one config document per file"
        problems.append(Problem("ignored_document", message, document.at, warning=True))
    return first


def _too_large(file: str, what: str) -> Problem:
    hint = "split it, and `include` the parts"
    return Problem("too_large", f"the file {what}", Position(file, 1, 1), hint)


class _Refused(Exception):
    """The file cannot be worked on any further."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class _Anchored:
    """An anchored node with what an alias to it adds: nodes, and levels of depth.

    `node` is None while the node is being built.
    """

    __slots__ = ("levels", "node", "nodes")

    def __init__(self) -> None:
        self.node: Node | None = None
        self.nodes = 0
        self.levels = 0


class _Builder:
    """Builds the nodes of one file. `_nodes` counts them with every alias expanded;
    `_deepest` is the greatest depth reached, aliases included."""

    __slots__ = ("_anchors", "_deepest", "_errors", "_file", "_next", "_nodes", "_problems")

    def __init__(self, source: str, file: str, problems: list[Problem]) -> None:
        self._next: Callable[[], Any] = _EventParser(source).get_event
        self._file = file
        self._problems = problems
        self._anchors: dict[str, _Anchored] = {}
        self._nodes = 0
        self._deepest = 0
        self._errors = 0

    def documents(self) -> list[Node]:
        """Every document of the stream that is not blank."""
        documents = []
        while not isinstance(event := self._next(), StreamEndEvent):
            if isinstance(event, DocumentStartEvent):
                self._anchors.clear()
                documents.append(self._node(self._next(), 1))
        return [d for d in documents if not (isinstance(d, Scalar) and d.value is None)]

    def _node(self, event: Any, depth: int) -> Node:
        kind = type(event)
        if kind is AliasEvent:
            return self._alias(event, depth)
        self._count(1, depth, event)
        if event.anchor is None:
            return self._unanchored(kind, event, depth)
        return self._anchored(kind, event, depth)

    def _unanchored(self, kind: type[Any], event: Any, depth: int) -> Node:
        if kind is ScalarEvent:
            return self._scalar(event)
        if kind is MappingStartEvent:
            return self._mapping(event, depth)
        if event.tag == _REFERENCE_TAG:
            return self._reference(event, depth)
        return self._sequence(event, depth)

    def _anchored(self, kind: type[Any], event: Any, depth: int) -> Node:
        anchored = self._anchors[event.anchor] = _Anchored()
        nodes, deepest = self._nodes, self._deepest
        self._deepest = depth
        node = self._unanchored(kind, event, depth)
        anchored.node = node
        anchored.nodes = self._nodes - nodes + 1
        anchored.levels = self._deepest - depth
        self._deepest = max(self._deepest, deepest)
        return node

    def _alias(self, event: Any, depth: int) -> Node:
        at = self._at(event)
        anchored = self._anchors.get(event.anchor)
        if anchored is None:
            hint = did_you_mean(event.anchor, self._anchors) or "an anchor stands above its aliases"
            self._error("unknown_anchor", f"there is no anchor `&{event.anchor}`", at, hint)
            return Scalar("", "", at)
        if anchored.node is None:
            message = f"`*{event.anchor}` stands inside the anchor it names"
            self._error("recursive_alias", message, at)
            return Scalar("", "", at)
        self._count(anchored.nodes, depth + anchored.levels, event)
        return anchored.node

    def _count(self, nodes: int, depth: int, event: Any) -> None:
        self._nodes += nodes
        if self._nodes > MAX_FILE_NODES:
            what = (
                f"holds more than {MAX_FILE_NODES} values, each alias counted as all it stands for"
            )
            raise _Refused(_too_large(self._file, what))
        if depth > self._deepest:
            self._deepest = depth
            if depth > MAX_DEPTH:
                message = f"more than {MAX_DEPTH} levels of nesting"
                raise _Refused(Problem("too_deep", message, self._at(event)))

    def _scalar(self, event: Any) -> Scalar:
        text = event.value
        if event.implicit[0]:
            return Scalar(self._plain(text, event), text, self._at(event))
        if event.tag in _RESOLVED_TAGS:
            return Scalar(resolve(text), text, self._at(event))
        if event.tag not in _TEXT_TAGS:
            self._unknown_tag(event)
        return Scalar(text, text, self._at(event))

    def _plain(self, text: str, event: Any) -> str | int | float | bool | None:
        value = resolve(text)
        if value is text and text[0].isdigit() and is_date(text):
            message, hint = f"GitLab refuses the unquoted date {text}", f'write "{text}"'
            self._warn("unquoted_date", message, self._at(event), hint)
        return value

    def _sequence(self, event: Any, depth: int) -> Sequence:
        if event.tag not in _SEQUENCE_TAGS:
            self._unknown_tag(event)
        items = []
        while type(item := self._next()) is not SequenceEndEvent:
            items.append(self._node(item, depth + 1))
        return Sequence(tuple(items), self._at(event))

    def _reference(self, event: Any, depth: int) -> Node:
        at = self._at(event)
        items = []
        while type(item := self._next()) is not SequenceEndEvent:
            items.append(self._node(item, depth + 1))
        path = tuple(i.value for i in items if isinstance(i, Scalar) and isinstance(i.value, str))
        if not path or len(path) != len(items):
            hint = "write `!reference [job, keyword]`"
            self._error("bad_reference", "`!reference` takes a list of names", at, hint)
            return Scalar("", "", at)
        return Reference(path, at)

    def _mapping(self, event: Any, depth: int) -> Mapping:
        if event.tag not in _MAPPING_TAGS:
            self._unknown_tag(event)
        entries: dict[str, Entry] = {}
        merged: set[str] = set()
        while type(key := self._next()) is not MappingEndEvent:
            if _is_merge(key):
                self._merge(entries, merged, self._at(key), depth)
            else:
                self._entry(entries, merged, key, depth)
        return Mapping(entries, self._at(event))

    def _entry(self, entries: dict[str, Entry], merged: set[str], key: Any, depth: int) -> None:
        at = self._at(key)
        name = key.value if type(key) is ScalarEvent and not key.anchor else self._key(key, depth)
        value = self._node(self._next(), depth + 1)
        if name is None:
            return
        if depth == 1 and type(key) is ScalarEvent and key.implicit[0]:
            self._check_name(name, at)
        if name in entries and name not in merged:
            message = f"`{name}` is given twice; this one counts"
            self._warn("duplicate_key", message, at, f"the other one is at {entries[name].at}")
        merged.discard(name)
        entries[name] = Entry(name, value, at)

    def _check_name(self, name: str, at: Position) -> None:
        """GitLab refuses a job whose name is no text to YAML, such as ``on`` or ``1``."""
        if name and not isinstance(resolve(name), str):
            message = f"`{name}` is no name: without quotes, YAML reads something else than text"
            self._error("bad_key", message, at, f'write "{name}"')

    def _key(self, event: Any, depth: int) -> str | None:
        """The text of a key that is an alias or has an anchor; None where it is a collection."""
        node = self._node(event, depth + 1)
        if isinstance(node, Scalar):
            return node.text
        self._error("bad_key", "a key must be a single value", self._at(event))
        return None

    def _merge(self, entries: dict[str, Entry], merged: set[str], at: Position, depth: int) -> None:
        value = self._node(self._next(), depth + 1)
        sources = value.items if isinstance(value, Sequence) else (value,)
        taken: dict[str, Entry] = {}
        for source in reversed(sources):
            if not isinstance(source, Mapping):
                hint = "write `<<: *anchor`, the anchor of a mapping"
                self._error("bad_merge", "`<<` takes a mapping or a list of mappings", at, hint)
                return
            taken.update(source.entries)
        self._warn_of_replaced([entries[k] for k in taken if k in entries and k not in merged], at)
        merged.update(taken)
        entries.update(taken)

    def _warn_of_replaced(self, replaced: list[Entry], at: Position) -> None:
        for entry in replaced:
            message = f"`{entry.key}` is replaced by the `<<` at {at}, which stands below it"
            hint = "GitLab merges in written order: put `<<` first"
            self._warn("replaced_by_merge", message, entry.at, hint)

    def _unknown_tag(self, event: Any) -> None:
        tag = event.tag.replace(_STANDARD, "!!")
        hint = "put a value that begins with `!` in quotes"
        if tag == _REFERENCE_TAG:
            hint = "write `!reference [job, keyword]`"
        elif meant := did_you_mean(tag, [_REFERENCE_TAG]):
            hint = meant
        self._error("unknown_tag", f"the tag `{tag}` cannot stand here", self._at(event), hint)

    def _at(self, event: Any) -> Position:
        mark = event.start_mark
        return Position(self._file, mark.line + 1, mark.column + 1)

    def _error(self, code: str, message: str, at: Position, hint: str = "") -> None:
        if self._errors == MAX_FILE_ERRORS:
            raise _Refused(Problem("too_many_errors", "too many errors; reading stops here", at))
        self._errors += 1
        self._problems.append(Problem(code, message, at, hint))

    def _warn(self, code: str, message: str, at: Position, hint: str) -> None:
        self._problems.append(Problem(code, message, at, hint, warning=True))


def _is_merge(key: Any) -> bool:
    return type(key) is ScalarEvent and key.implicit[0] and key.value == "<<"
