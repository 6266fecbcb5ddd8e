"""``only`` and ``except``."""

import msgspec
import pytest

from tracekeeper.errors import InvalidPipeline
from tracekeeper.pipeline.config import JobConfig, OnlyExcept, Variable
from tracekeeper.pipeline.only import included
from tracekeeper.pipeline.scope import Scope, World
from tracekeeper.problems import Position

AT = Position("f", 3, 1)


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


def context(source: str, ref: str, *, tag: bool = False) -> Fake:
    fake = Fake(
        variables(CI_PIPELINE_SOURCE=source, CI_COMMIT_REF_NAME=ref, CI_PROJECT_PATH="us/app"),
        changes={"": ["docs/a.md"]},
    )
    fake.variables |= variables(CI_COMMIT_TAG=ref) if tag else {}
    return fake


BRANCH = context("push", "feature/x")
TAG = context("push", "v1.0", tag=True)
MERGE_REQUEST = context("merge_request_event", "feature/x")
NOWHERE = Fake()


def taken(
    fake: Fake,
    only: OnlyExcept | None = None,
    except_: OnlyExcept | None = None,
    *,
    workflow_rules: bool = False,
) -> bool:
    scope = Scope(World(fake), variables(DEPLOY="yes"))
    job = JobConfig("job", AT, only=only, except_=except_)
    return included(job, scope, workflow_rules=workflow_rules)


def refs(*names: str) -> OnlyExcept:
    return OnlyExcept(AT, refs=names)


@pytest.mark.parametrize(
    ("fake", "ref", "expected"),
    [
        (BRANCH, "branches", True),
        (BRANCH, "tags", False),
        (TAG, "branches", False),
        (TAG, "tags", True),
        (MERGE_REQUEST, "branches", False),
        (MERGE_REQUEST, "tags", False),
        (MERGE_REQUEST, "merge_requests", True),
        (BRANCH, "merge_requests", False),
        (BRANCH, "pushes", True),
        (BRANCH, "push", True),
        (BRANCH, "web", False),
        (context("web", "main"), "web", True),
        (context("api", "main"), "api", True),
        (context("schedule", "main"), "schedules", True),
        (context("trigger", "main"), "triggers", True),
        (context("pipeline", "main"), "pipelines", True),
        (context("external", "main"), "external", True),
        (context("external_pull_request_event", "main"), "external_pull_requests", True),
        (BRANCH, "feature/x", True),
        (BRANCH, "feature", False),
        (TAG, "v1.0", True),
        (MERGE_REQUEST, "feature/x", False),
        (BRANCH, "/^feature/", True),
        (BRANCH, "/^FEATURE/", False),
        (BRANCH, "/^FEATURE/i", True),
        (BRANCH, "/^fix-.*$/", False),
        (BRANCH, "/(/", False),
        (MERGE_REQUEST, "/^feature/", False),
        (BRANCH, "branches@us/app", True),
        (BRANCH, "branches@them/app", False),
        (BRANCH, "/^feature/@us/app", True),
        (NOWHERE, "branches", True),
        (NOWHERE, "main", False),
        (NOWHERE, "main@us/app", False),
    ],
)
def test_refs(fake: Fake, ref: str, expected: bool) -> None:
    assert taken(fake, refs(ref)) is expected
    assert taken(fake, refs("no-such", ref)) is expected
    assert taken(fake, refs("branches", "tags", "merge_requests"), refs(ref)) is not expected


def test_branches_and_tags_are_meant_where_nothing_is_said() -> None:
    assert taken(BRANCH)
    assert taken(TAG)
    assert not taken(MERGE_REQUEST)
    assert taken(MERGE_REQUEST, workflow_rules=True)
    assert not taken(BRANCH, None, refs("branches"), workflow_rules=True)


def test_all_parts_of_only_have_to_hold() -> None:
    deploy = OnlyExcept(AT, variables=("$NO", '$DEPLOY == "yes"'))
    assert taken(BRANCH, deploy)
    assert not taken(MERGE_REQUEST, deploy)
    assert not taken(BRANCH, OnlyExcept(AT, refs=("tags",), variables=("$DEPLOY",)))
    assert not taken(BRANCH, OnlyExcept(AT, variables=("$NO",)))
    assert taken(BRANCH, OnlyExcept(AT, changes=("docs/*",), variables=("$DEPLOY",)))
    assert not taken(BRANCH, OnlyExcept(AT, changes=("src/*",), variables=("$DEPLOY",)))


def test_no_part_of_except_may_hold() -> None:
    assert not taken(BRANCH, None, OnlyExcept(AT, refs=("tags",), variables=("$DEPLOY",)))
    assert taken(BRANCH, None, OnlyExcept(AT, refs=("tags",), variables=("$NO",)))
    assert not taken(BRANCH, None, OnlyExcept(AT, changes=("docs/*",)))


def test_kubernetes_is_not_acted_on() -> None:
    assert taken(BRANCH, OnlyExcept(AT, kubernetes=True))
    assert taken(BRANCH, None, OnlyExcept(AT, kubernetes=True))


@pytest.mark.parametrize(
    "policy", [OnlyExcept(AT, variables=("$A ==",)), OnlyExcept(AT, changes=("{a,b}" * 20,))]
)
def test_what_cannot_be_used_has_its_place(policy: OnlyExcept) -> None:
    with pytest.raises(InvalidPipeline, match="f:3:1: error"):
        taken(BRANCH, policy)
