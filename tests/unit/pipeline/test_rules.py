"""``rules``: which one decides."""

import msgspec
import pytest

from tracekeeper.errors import InvalidPipeline
from tracekeeper.pipeline.config import PathCondition, Rule, Variable
from tracekeeper.pipeline.rules import first_match
from tracekeeper.pipeline.scope import Scope, World
from tracekeeper.problems import Position


class Fake(msgspec.Struct):
    """A context, and the project's files, as plain values."""

    variables: dict[str, Variable] = {}
    overrides: dict[str, Variable] = {}
    existing: list[str] = []
    changes: dict[str, list[str]] = {}

    @property
    def files(self) -> "Fake":
        return self

    def read(self, path: str) -> bytes | None:
        return b"" if path in self.existing else None

    def paths(self) -> list[str]:
        return sorted(self.existing)

    def changed(self, compare_to: str) -> list[str] | None:
        return self.changes.get(compare_to)


def variables(**values: str) -> dict[str, Variable]:
    return {key: Variable(key, value) for key, value in values.items()}


FAKE_PROJECT = Fake(
    variables(CI_COMMIT_BRANCH="main", EMPTY=""),
    existing=["Dockerfile", "src/a.py"],
    changes={"": ["docs/a.md"], "main": ["src/a.py"]},
)


def at(line: int) -> Position:
    return Position("f", line, 1)


def paths(*patterns: str, compare_to: str = "") -> PathCondition:
    return PathCondition(patterns, at(1), compare_to)


def decided(*rules: Rule, **values: str) -> int | None:
    """The line of the rule that decides."""
    rule = first_match(rules, Scope(World(FAKE_PROJECT), variables(**values)))
    return rule.at.line if rule else None


def test_the_first_match_wins() -> None:
    yes, no = '$CI_COMMIT_BRANCH == "main"', "$EMPTY"
    assert decided(Rule(at(1), no), Rule(at(2), yes), Rule(at(3))) == 2
    assert decided(Rule(at(1), no), Rule(at(2))) == 2
    assert decided(Rule(at(1), no)) is None
    assert decided() is None


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Rule(at(1), changes=paths("docs/*")), True),
        (Rule(at(1), changes=paths("src/*")), False),
        (Rule(at(1), changes=paths("$DIR/*", "$DIR/*")), True),
        (Rule(at(1), changes=paths("src/*", compare_to="$CI_COMMIT_BRANCH")), True),
        (Rule(at(1), changes=paths("docs/*", compare_to="$CI_COMMIT_BRANCH")), False),
        (Rule(at(1), changes=paths("no", compare_to="unknown")), True),
        (Rule(at(1), exists=paths("Dockerfile")), True),
        (Rule(at(1), exists=paths("$CI_COMMIT_BRANCH")), False),
        (Rule(at(1), exists=paths("**/*.py")), True),
    ],
)
def test_paths(rule: Rule, expected: bool) -> None:
    assert (decided(rule, DIR="docs") == 1) is expected


@pytest.mark.parametrize(
    ("condition", "changes", "exists"), [(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)]
)
def test_all_conditions_of_a_rule_have_to_hold(condition: int, changes: int, exists: int) -> None:
    rule = Rule(
        at(1),
        ("$EMPTY", "$CI_COMMIT_BRANCH")[condition],
        paths(("no", "docs/*")[changes]),
        paths(("no", "Dockerfile")[exists]),
    )
    assert (decided(rule) == 1) is bool(condition and changes and exists)


def test_values_are_compared_as_they_are_written() -> None:
    assert decided(Rule(at(1), '$COPY == "main"'), COPY="$CI_COMMIT_BRANCH") is None
    assert decided(Rule(at(1), "$COPY == '$CI_COMMIT_BRANCH'"), COPY="$CI_COMMIT_BRANCH") == 1


def test_what_cannot_be_used_has_its_place() -> None:
    for rule, code in [
        (Rule(at(7), "$A =="), "bad_expression"),
        (Rule(at(7), exists=paths("{a,b}" * 20)), "bad_pattern"),
        (Rule(at(7), changes=paths("{a,b}" * 20)), "bad_pattern"),
    ]:
        with pytest.raises(InvalidPipeline) as raised:
            decided(rule)
        assert [(p.code, p.at.line) for p in raised.value.problems] == [(code, 7)]
