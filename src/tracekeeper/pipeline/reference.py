"""``!reference [job, keyword]``: a value taken over from elsewhere in the merged file.

Source: https://docs.gitlab.com/ci/yaml/yaml_optimization/#reference-tags. References see jobs
with their ``extends`` carried out, and may lead to further references, up to 10 deep. A list
taken over inside a list stays a list of its own: the keywords that allow it flatten it.
"""

from tracekeeper.pipeline.limits import MAX_DEPTH, MAX_MERGED_NODES, MAX_REFERENCE_LEVELS
from tracekeeper.pipeline.nearest import did_you_mean
from tracekeeper.pipeline.node import Entry, Mapping, Node, Reference, Scalar, Sequence
from tracekeeper.problems import Problem


def resolve_references(
    document: Mapping, problems: list[Problem], *, elsewhere: str = "", unread: bool = False
) -> Mapping:
    """`document` with every reference replaced by what it names; a wrong one stays where it is.

    `elsewhere` is a further hint for an unknown name, which is a warning where a file is `unread`
    that GitLab would include.
    """
    resolver = _Resolver(document, problems, elsewhere, unread)
    try:
        resolved = resolver.resolve(document, 0, ())
    except _TooLarge as stop:
        problems.append(stop.problem)
        return document
    assert isinstance(resolved, Mapping)
    return resolved


class _TooLarge(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class _Resolver:
    """`_nodes` counts what was looked at, so that references to references stay bounded."""

    __slots__ = ("_document", "_elsewhere", "_nodes", "_problems", "_unread")

    def __init__(
        self, document: Mapping, problems: list[Problem], elsewhere: str, unread: bool
    ) -> None:
        self._document = document
        self._problems = problems
        self._elsewhere = elsewhere
        self._unread = unread
        self._nodes = 0

    def resolve(self, node: Node, depth: int, chain: tuple[Reference, ...]) -> Node:
        """`node` resolved, itself where nothing in it changes; `chain` led to it."""
        if type(node) is Scalar:
            return node
        self._bound(node, depth)
        if isinstance(node, Mapping):
            return self._mapping(node, depth + 1, chain)
        if isinstance(node, Sequence):
            return self._sequence(node, depth + 1, chain)
        assert isinstance(node, Reference)
        return self._reference(node, depth, chain)

    def _mapping(self, node: Mapping, depth: int, chain: tuple[Reference, ...]) -> Mapping:
        changed = {}
        for entry in node:
            value = self.resolve(entry.value, depth, chain)
            if value is not entry.value:
                changed[entry.key] = Entry(entry.key, value, entry.at)
        return Mapping(node.entries | changed, node.at) if changed else node

    def _sequence(self, node: Sequence, depth: int, chain: tuple[Reference, ...]) -> Sequence:
        items = tuple(self.resolve(item, depth, chain) for item in node.items)
        same = all(new is old for new, old in zip(items, node.items, strict=True))
        return node if same else Sequence(items, node.at)

    def _reference(self, node: Reference, depth: int, chain: tuple[Reference, ...]) -> Node:
        chain = (*chain, node)
        if any(node.path == earlier.path for earlier in chain[:-1]):
            circle = " → ".join(_written(reference) for reference in chain)
            return self._wrong(node, "reference_cycle", f"references go in a circle: {circle}")
        if len(chain) > MAX_REFERENCE_LEVELS:
            message = f"more than {MAX_REFERENCE_LEVELS} references lead to each other"
            return self._wrong(node, "reference_too_deep", message)
        target = self._target(node)
        return node if target is None else self.resolve(target, depth, chain)

    def _target(self, node: Reference) -> Node | None:
        """What `node` names; None, and a problem, where there is no such thing."""
        found: Node = self._document
        for step, name in enumerate(node.path):
            inner = found.get(name) if isinstance(found, Mapping) else None
            if inner is None or (isinstance(inner, Scalar) and inner.value is None):
                self._missing(node, step, found)
                return None
            found = inner
        return found

    def _missing(self, node: Reference, step: int, found: Node) -> None:
        known = [entry.key for entry in found] if isinstance(found, Mapping) else []
        place = f"`{'` › `'.join(node.path[:step])}` has" if step else "there is"
        message = f"{_written(node)} leads nowhere: {place} no `{node.path[step]}`"
        hints = [did_you_mean(node.path[step], known), self._elsewhere]
        hint = "; ".join(filter(None, hints))
        self._problems.append(
            Problem("unknown_reference", message, node.at, hint, warning=self._unread)
        )

    def _bound(self, node: Node, depth: int) -> None:
        self._nodes += 1
        if isinstance(node, Sequence | Mapping):
            self._nodes += len(node.items if isinstance(node, Sequence) else node.entries)
        if self._nodes > MAX_MERGED_NODES:
            message = f"the merged file holds more than {MAX_MERGED_NODES} values"
            raise _TooLarge(Problem("too_large", message, node.at))
        if depth > MAX_DEPTH:
            message = f"references lead to more than {MAX_DEPTH} levels of nesting"
            raise _TooLarge(Problem("too_deep", message, node.at))

    def _wrong(self, node: Reference, code: str, message: str, hint: str = "") -> Reference:
        self._problems.append(Problem(code, message, node.at, hint))
        return node


def _written(reference: Reference) -> str:
    return f"`!reference [{', '.join(reference.path)}]`"
