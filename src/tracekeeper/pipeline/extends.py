"""``extends``: a job takes over what other jobs say, and overrides it.

Source: https://docs.gitlab.com/ci/yaml/#extends. Parents are merged in the order they are named,
each over the one before, and the job over them all; up to 11 levels.
"""

from tracekeeper.pipeline.limits import MAX_EXTENDS_LEVELS, MAX_MERGED_NODES
from tracekeeper.pipeline.merging import deep_merge
from tracekeeper.pipeline.nearest import did_you_mean
from tracekeeper.pipeline.node import Entry, Mapping, Node, Scalar, Sequence
from tracekeeper.problems import Position, Problem

_NOT_JOBS = frozenset({"cache", "default", "image", "include", "variables", "workflow"})
_TOO_DEEP = MAX_EXTENDS_LEVELS + 1


def extend(
    document: Mapping, problems: list[Problem], *, elsewhere: str = "", unread: bool = False
) -> Mapping:
    """`document` with every job's ``extends`` carried out and the keyword gone.

    A job whose ``extends`` is wrong, or builds on a wrong one, keeps the keyword: the mark of an
    incomplete job. `elsewhere` is a further hint for an unknown parent, which is a warning where
    a file is `unread` that GitLab would include.
    """
    try:
        return _Extender(document, problems, elsewhere, unread).run()
    except _TooLarge as stop:
        message = f"extended jobs hold more than {MAX_MERGED_NODES} keys in all"
        problems.append(Problem("too_large", message, stop.at))
        return document


class _TooLarge(Exception):
    def __init__(self, at: Position) -> None:
        super().__init__(str(at))
        self.at = at


class _Extender:
    """Extends each job once. `_done` holds the finished jobs, each with its levels of
    ``extends``; `_keys` counts the keys of all of them."""

    __slots__ = ("_document", "_done", "_elsewhere", "_keys", "_problems", "_unread")

    def __init__(
        self, document: Mapping, problems: list[Problem], elsewhere: str, unread: bool
    ) -> None:
        self._document = document
        self._problems = problems
        self._elsewhere = elsewhere
        self._unread = unread
        self._done: dict[str, tuple[Mapping, int]] = {}
        self._keys = 0

    def run(self) -> Mapping:
        entries = {}
        for entry in self._document:
            value = entry.value
            if isinstance(value, Mapping) and entry.key not in _NOT_JOBS:
                value = self._extended(entry.key, value, ())[0]
            entries[entry.key] = Entry(entry.key, value, entry.at)
        return Mapping(entries, self._document.at)

    def _extended(self, name: str, job: Mapping, chain: tuple[str, ...]) -> tuple[Mapping, int]:
        """The job `name`, extended, and its levels; `chain` are the jobs that led to it."""
        if name in self._done:
            return self._done[name]
        keyword = job.entries.get("extends")
        if keyword is None:
            return job, 0
        chain = (*chain, name)
        if len(chain) > MAX_EXTENDS_LEVELS:
            return self._too_deep(job, chain, keyword.at)
        self._done[name] = merged, levels = self._merged(job, keyword, chain)
        return merged, levels

    def _merged(self, job: Mapping, keyword: Entry, chain: tuple[str, ...]) -> tuple[Mapping, int]:
        inherited, levels, complete = Mapping({}, job.at), 0, True
        for name in _items(keyword.value):
            found = self._parent(name, chain)
            if found is None:
                complete = False
                continue
            inherited = deep_merge(inherited, found[0])
            levels = max(levels, found[1])
        levels += 1
        if levels == _TOO_DEEP:
            self._too_deep(job, chain, keyword.at)
        if complete and levels < _TOO_DEEP:
            job = Mapping({k: e for k, e in job.entries.items() if k != "extends"}, job.at)
        merged = deep_merge(inherited, job)
        self._keys += _keys_of(merged)
        if self._keys > MAX_MERGED_NODES:
            raise _TooLarge(keyword.at)
        return merged, levels

    def _parent(self, name: Node, chain: tuple[str, ...]) -> tuple[Mapping, int] | None:
        if not isinstance(name, Scalar) or name.value is None:
            hint = "write `extends: .base` or `extends: [.base, .other]`"
            self._error("bad_extends", "`extends` takes names of jobs", name.at, hint)
            return None
        job = self._document.get(name.text)
        if name.text in chain:
            circle = " → ".join((*chain[chain.index(name.text) :], name.text))
            self._error("extends_cycle", f"`extends` goes in a circle: {circle}", name.at)
        elif job is None:
            others = [entry.key for entry in self._document if entry.key != chain[-1]]
            hints = [did_you_mean(name.text, others), self._elsewhere]
            hint = "; ".join(filter(None, hints))
            message = f"`{chain[-1]}` extends `{name.text}`, which does not exist"
            self._problems.append(
                Problem("unknown_parent", message, name.at, hint, warning=self._unread)
            )
        elif not isinstance(job, Mapping):
            message = f"`{chain[-1]}` extends `{name.text}`, which is not a job"
            self._error("bad_extends", message, name.at)
        else:
            return self._extended(name.text, job, chain)
        return None

    def _too_deep(self, job: Mapping, chain: tuple[str, ...], at: Position) -> tuple[Mapping, int]:
        path = f" (by way of {' → '.join(chain)})" if len(chain) > 1 else ""
        message = f"`{chain[-1]}` is in more than {MAX_EXTENDS_LEVELS} levels of `extends`{path}"
        self._error("extends_too_deep", message, at)
        return job, _TOO_DEEP

    def _error(self, code: str, message: str, at: Position, hint: str = "") -> None:
        self._problems.append(Problem(code, message, at, hint))


def _items(value: Node) -> tuple[Node, ...]:
    return value.items if isinstance(value, Sequence) else (value,)


def _keys_of(mapping: Mapping) -> int:
    """The keys of `mapping` and of the mappings in it, which is what merging has to copy."""
    inner = sum(_keys_of(entry.value) for entry in mapping if isinstance(entry.value, Mapping))
    return len(mapping.entries) + inner
