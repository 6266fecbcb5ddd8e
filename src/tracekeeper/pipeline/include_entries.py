"""What the keyword ``include`` says: which files of the project are to be included here and now.

Source: https://docs.gitlab.com/ci/yaml/#include. Includes from elsewhere than this project's own
files are named in a warning.
"""

import re
from collections.abc import Callable
from collections.abc import Mapping as AbstractMapping
from collections.abc import Sequence as AbstractSequence
from typing import TypeAlias

import msgspec

from tracekeeper.pipeline.expressions import ExpressionError, evaluate
from tracekeeper.pipeline.globs import GlobError, matches
from tracekeeper.pipeline.nearest import did_you_mean
from tracekeeper.pipeline.node import Mapping, Node, Scalar, Sequence
from tracekeeper.pipeline.variables import expand
from tracekeeper.pipeline.world import ProjectFiles
from tracekeeper.problems import Position, Problem

Changed: TypeAlias = Callable[[str], AbstractSequence[str] | None]
"""The paths changed against a ref (or what GitLab compares with, for ""); None: unknown."""

NOT_READ = "include_not_read"
"""The code of the warning about a file that GitLab would include, and this does not."""

_SOURCES = ("local", "project", "remote", "template", "component", "artifact")
_KEYS = (*_SOURCES, "cache", "file", "inputs", "integrity", "job", "ref", "rules")
_RULE_KEYS = ("if", "exists", "changes", "when")


class Location(msgspec.Struct, frozen=True):
    """A file to include: its path in the project, and where the include stands."""

    path: str
    at: Position


class IncludeReader:
    """Reads the values of ``include``. `values` are the variables known before any job."""

    __slots__ = ("_changed", "_files", "_problems", "_values")

    def __init__(
        self,
        files: ProjectFiles,
        values: AbstractMapping[str, str],
        changed: Changed,
        problems: list[Problem],
    ) -> None:
        self._files = files
        self._values = values
        self._changed = changed
        self._problems = problems

    def read(self, value: Node) -> list[Location]:
        """The files to include, in order. What is wrong or not acted on is reported."""
        return [location for item in _items(value) for location in self._item(item)]

    def _item(self, item: Node) -> list[Location]:
        if isinstance(item, Mapping):
            return self._mapping(item)
        if isinstance(item, Scalar) and item.value is None:
            return []
        if isinstance(item, Scalar) and isinstance(item.value, str):
            return self._text(item)
        hint = "write `include: path/to/file.yml` or `include: [{local: path/to/file.yml}]`"
        self._error("bad_include", "an include is a path or a mapping", item.at, hint)
        return []

    def _text(self, item: Scalar) -> list[Location]:
        path = expand(item.text, self._values)
        if re.match("https?://", path):
            self._not_read(f"`include: {path}`", item.at)
            return []
        return self._local(path, item.at)

    def _mapping(self, item: Mapping) -> list[Location]:
        self._check_keys(item, _KEYS, "include")
        sources = [item.entries[source] for source in _SOURCES if source in item]
        if len(sources) != 1:
            hint = f"use exactly one of {', '.join(f'`{source}`' for source in _SOURCES)}"
            self._error("bad_include", "it is not clear what to include", item.at, hint)
            return []
        if (rules := item.get("rules")) and not self._apply(rules):
            return []
        source = sources[0]
        if source.key != "local":
            self._not_read(f"`include: {source.key}`", source.at)
            return []
        if inputs := item.entries.get("inputs"):
            self._not_acted_on("`include: inputs`", inputs.at)
        if isinstance(source.value, Scalar) and isinstance(source.value.value, str):
            return self._local(expand(source.value.text, self._values), source.value.at)
        self._error("bad_include", "`include: local` takes a path", source.value.at)
        return []

    def _local(self, path: str, at: Position) -> list[Location]:
        if "$[[" in path:
            self._not_read(f"`include: {path}`", at)
            return []
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if ".." in parts:
            hint = "paths begin at the root of the project"
            self._error("outside_project", f"the include `{path}` leaves the project", at, hint)
            return []
        clean = "/".join(parts)
        paths = self._matching(clean, at) if "*" in clean else [clean]
        return [Location(path, at) for path in paths if self._is_yaml(path, at)]

    def _matching(self, pattern: str, at: Position) -> list[str]:
        """GitLab's wildcards: ``**`` is anything, ``*`` is anything but a slash."""
        wildcards = re.escape(pattern).replace(r"\*\*", ".*").replace(r"\*", "[^/]*")
        match = re.compile(wildcards).fullmatch
        paths = [path for path in self._files.paths() if match(path)]
        if not paths:
            message = f"no file matches the include `{pattern}`"
            self._problems.append(Problem("include_nothing", message, at, warning=True))
        return paths

    def _is_yaml(self, path: str, at: Position) -> bool:
        if path.lower().endswith((".yml", ".yaml")):
            return True
        hint = "an included file ends in `.yml` or `.yaml`"
        self._error("include_extension", f"`{path}` does not look like YAML", at, hint)
        return False

    def _apply(self, rules: Node) -> bool:
        """Whether the first rule that matches lets the file in; without a match it stays out."""
        for rule in _items(rules):
            if not isinstance(rule, Mapping):
                self._error("bad_include_rule", "each rule is a mapping", rule.at)
            elif self._rule_matches(rule):
                return self._when(rule) != "never"
        return False

    def _when(self, rule: Mapping) -> str:
        when = rule.get("when")
        if when is None:
            return "always"
        if isinstance(when, Scalar) and when.value in ("always", "never"):
            return when.text
        hint = "use `always` or `never`"
        self._error("bad_include_rule", "`when` has no such value in an include", when.at, hint)
        return "never"

    def _rule_matches(self, rule: Mapping) -> bool:
        self._check_keys(rule, _RULE_KEYS, "include: rules")
        return (
            self._condition_holds(rule.get("if"))
            and self._exists(rule.get("exists"))
            and self._has_changed(rule.get("changes"))
        )

    def _condition_holds(self, condition: Node | None) -> bool:
        if condition is None:
            return True
        if not isinstance(condition, Scalar):
            self._error("bad_include_rule", "`if` takes an expression", condition.at)
            return False
        try:
            return evaluate(condition.text, self._values)
        except ExpressionError as error:
            self._error("bad_expression", str(error), condition.at)
            return False

    def _exists(self, clause: Node | None) -> bool:
        if clause is None:
            return True
        if isinstance(clause, Mapping) and (project := clause.entries.get("project")):
            self._not_acted_on("`exists: project`", project.at)
            return False
        return self._any_matches(clause, "exists", self._files.paths())

    def _has_changed(self, clause: Node | None) -> bool:
        if clause is None:
            return True
        compare_to = clause.get("compare_to") if isinstance(clause, Mapping) else None
        ref = expand(compare_to.text, self._values) if isinstance(compare_to, Scalar) else ""
        paths = self._changed(ref)
        return paths is None or self._any_matches(clause, "changes", paths)

    def _patterns(self, clause: Node, keyword: str) -> list[str]:
        value = clause.get("paths") if isinstance(clause, Mapping) else clause
        items = value.items if isinstance(value, Sequence) else ()
        texts = [item.text for item in items if isinstance(item, Scalar)]
        if not texts or len(texts) != len(items):
            self._error("bad_include_rule", f"`{keyword}` takes a list of paths", clause.at)
        return [expand(text, self._values, keep_unknown=True) for text in texts]

    def _any_matches(self, clause: Node, keyword: str, paths: AbstractSequence[str]) -> bool:
        patterns = self._patterns(clause, keyword)
        try:
            return any(matches(pattern, path) for pattern in patterns for path in paths)
        except GlobError as error:
            self._error("bad_include_rule", f"`{keyword}`: {error}", clause.at)
            return False

    def _check_keys(self, mapping: Mapping, known: tuple[str, ...], where: str) -> None:
        for entry in mapping:
            if entry.key not in known:
                hint = did_you_mean(entry.key, known) or f"known are {', '.join(known)}"
                message = f"`{where}` has no keyword `{entry.key}`"
                self._error("unknown_keyword", message, entry.at, hint)

    def _not_read(self, what: str, at: Position) -> None:
        message = f"{what} is not acted on: what it would bring is missing here"
        self._problems.append(Problem(NOT_READ, message, at, warning=True))

    def _not_acted_on(self, what: str, at: Position) -> None:
        message = f"{what} is not acted on: what it would bring is missing here"
        self._problems.append(Problem("not_acted_on", message, at, warning=True))

    def _error(self, code: str, message: str, at: Position, hint: str = "") -> None:
        self._problems.append(Problem(code, message, at, hint))


def _items(value: Node) -> tuple[Node, ...]:
    return value.items if isinstance(value, Sequence) else (value,)
