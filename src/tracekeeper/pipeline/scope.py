"""What rules can see: variables, changed paths and files of the project."""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TypeAlias

from tracekeeper.pipeline.config import JobConfig, Variable
from tracekeeper.pipeline.globs import compile_glob
from tracekeeper.pipeline.matrix import Instance
from tracekeeper.pipeline.variables import expand, resolve
from tracekeeper.pipeline.world import Context

MAX_COMPARISONS = 50_000
"""GitLab's limit of paths times patterns; beyond it every pattern counts as matched."""

_INSTANCE_SUFFIX = re.compile(r"([\b\s:]+((\[.*\])|(\d+[\s:/\\]+\d+))){1,3}\s*\Z")
_EVERYWHERE = "**/*"

_Test: TypeAlias = Callable[[Sequence[str], Sequence[str]], bool]


class World:
    """A `Context` whose answers are remembered for the length of one evaluation.

    `facts` are the predefined variables with the caller's: who gives CI_COMMIT_TAG or
    CI_PIPELINE_SOURCE plays another pipeline than this checkout's.
    """

    __slots__ = ("_changed", "_matched", "_paths", "context", "facts", "override_values", "values")

    def __init__(self, context: Context) -> None:
        self.context = context
        self.values = plain(context.variables)
        self.override_values = plain(context.overrides)
        self.facts = self.values | self.override_values
        self._changed: dict[str, Sequence[str] | None] = {}
        self._matched: dict[tuple[str, ...], bool] = {}
        self._paths: Sequence[str] | None = None

    def changed(self, patterns: Iterable[str], compare_to: str = "") -> bool:
        """Whether a changed path matches one of `patterns`; true where changes are unknown.

        Raises GlobError.
        """
        if compare_to not in self._changed:
            self._changed[compare_to] = self.context.changed(compare_to)
        paths = self._changed[compare_to]
        return paths is None or self._once(("changes", compare_to, *patterns), paths, _any_matches)

    def exists(self, patterns: Iterable[str]) -> bool:
        """Whether a file of the project matches one of `patterns`. Raises GlobError."""
        if self._paths is None:
            self._paths = self.context.files.paths()
        return self._once(("exists", "", *patterns), self._paths, _any_exists)

    def _once(self, key: tuple[str, ...], paths: Sequence[str], test: _Test) -> bool:
        if key not in self._matched:
            self._matched[key] = test(key[2:], paths)
        return self._matched[key]


class Scope:
    """What the rules of one job, or of the workflow, see.

    `values` are unexpanded: GitLab evaluates ``if`` with variables as they are written, and
    expands them only in paths (https://docs.gitlab.com/ci/yaml/#rulesif).
    """

    def __init__(
        self,
        world: World,
        variables: Mapping[str, Variable],
        facts: dict[str, str] | None = None,
    ) -> None:
        self.world = world
        self._variables = variables
        self._facts = facts or {}
        self.values = world.values | self._facts | plain(variables) | world.override_values

    def expand(self, text: str) -> str:
        """`text` with the variables it names, those in their values too; unknown ones stay."""
        return expand(text, self._expanded, keep_unknown=True) if "$" in text else text

    @cached_property
    def _expanded(self) -> dict[str, str]:
        context = self.world.context
        facts = (Variable(key, value, raw=True) for key, value in self._facts.items())
        layers = (context.variables, self._variables, context.overrides)
        predefined, written, overrides = (layer.values() for layer in layers)
        return resolve((*predefined, *facts, *written, *overrides))


def facts_of(job: JobConfig, instance: Instance) -> dict[str, str]:
    """The predefined variables about a job that its own rules can see."""
    facts = {
        "CI_JOB_NAME": instance.name,
        "CI_JOB_NAME_SLUG": _slug(instance.name),
        "CI_JOB_GROUP_NAME": _INSTANCE_SUFFIX.sub("", instance.name).strip(),
        "CI_JOB_STAGE": job.stage,
        "CI_NODE_TOTAL": str(instance.total or 1),
    }
    if instance.index:
        facts["CI_NODE_INDEX"] = str(instance.index)
    if job.when in ("manual", "delayed"):
        facts["CI_JOB_MANUAL"] = "true"
    return facts


def plain(variables: Mapping[str, Variable]) -> dict[str, str]:
    """The values of `variables` as they are written."""
    return {key: variable.value for key, variable in variables.items()}


def _slug(name: str) -> str:
    return re.sub("[^a-z0-9]", "-", name.lower())[:63].strip("-")


def _any_matches(patterns: Sequence[str], paths: Sequence[str]) -> bool:
    if len(paths) * len(patterns) > MAX_COMPARISONS:
        return True
    globs = [compile_glob(pattern) for pattern in patterns]
    return any(glob.fullmatch(path) for glob in globs for path in paths)


def _any_exists(patterns: Sequence[str], paths: Sequence[str]) -> bool:
    """GitLab looks up plain names, and compares the ends of paths for ``**/*.ext``; only what is
    left counts towards the limit. Patterns without ``/`` and ``**`` see the top level alone."""
    if not any("/" in pattern or "**" in pattern for pattern in patterns):
        paths = [path for path in paths if "/" not in path]
    names = [pattern for pattern in patterns if _is_plain(pattern)]
    if any(_is_there(name, paths) for name in names):
        return True
    endings = tuple(filter(None, map(_ending, patterns)))
    if any(path.endswith(endings) for path in paths):
        return True
    left = [pattern for pattern in patterns if not _is_plain(pattern) and not _ending(pattern)]
    return _any_matches(left, paths)


def _is_plain(pattern: str) -> bool:
    return not any(char in pattern for char in "*?[{")


def _is_there(name: str, paths: Sequence[str]) -> bool:
    """Whether a sorted list of paths has `name`, or something in it if it ends with a slash."""
    index = bisect_left(paths, name)
    if index == len(paths):
        return False
    return paths[index].startswith(name) if name.endswith("/") else paths[index] == name


def _ending(pattern: str) -> str:
    """``.ext`` of ``**/*.ext``, empty for any other pattern."""
    ending = pattern.removeprefix(_EVERYWHERE)
    simple = ending.startswith(".") and "/" not in ending and _is_plain(ending)
    return ending if simple and ending != pattern else ""
