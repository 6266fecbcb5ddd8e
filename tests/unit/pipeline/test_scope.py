"""What rules see: variables, changes and files."""

import msgspec
import pytest

from tracekeeper.pipeline.config import JobConfig, Variable
from tracekeeper.pipeline.matrix import Instance
from tracekeeper.pipeline.scope import MAX_COMPARISONS, Scope, World, facts_of
from tracekeeper.problems import Position

AT = Position("f", 1, 1)


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


def test_the_stronger_variable_wins() -> None:
    fake = Fake(variables(A="predefined", B="predefined"), variables(D="override"))
    scope = Scope(World(fake), variables(B="file", C="file", D="file"), {"A": "fact", "C": "fact"})
    assert scope.values == {"A": "fact", "B": "file", "C": "file", "D": "override"}


def test_values_are_as_written_and_paths_expanded() -> None:
    fake = Fake(variables(CI_NAME="app"), variables(LAST="$DIR/x"))
    scope = Scope(World(fake), variables(DIR="src/$CI_NAME/$SELF"), {"SELF": "$no"})
    assert scope.values["DIR"] == "src/$CI_NAME/$SELF"
    assert scope.expand("$DIR/**/*.$EXT") == "src/app/$no/**/*.$EXT"
    assert scope.expand("$LAST") == "src/app/$no/x"
    assert scope.expand("plain") == "plain"


def test_changes_are_asked_once_for_each_comparison() -> None:
    fake = Fake(changes={"": ["a/b.py"], "main": []})
    world = World(fake)
    assert world.changed(["*.md", "a/*"])
    fake.changes = {}
    assert world.changed(["a/*"])
    assert not world.changed(["*.md"])
    assert world.changed(["*.md"], "main")
    assert world.changed(["*.md"], "elsewhere")


def test_no_change_matches_nothing() -> None:
    assert not World(Fake(changes={"": []})).changed(["**/*"])
    assert not World(Fake(changes={"": ["a"]})).changed([])


def test_too_many_changes_match() -> None:
    paths = [f"file{n}" for n in range(MAX_COMPARISONS + 1)]
    assert World(Fake(changes={"": paths})).changed(["no"])
    assert not World(Fake(changes={"": paths[1:]})).changed(["no"])


FILES = [".env", "Dockerfile", "docs/a.md", "src/app/main.py", "src/lib.so.1", "x.y"]


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["Dockerfile"], True),
        (["main.py"], False),
        (["src/app/main.py"], True),
        (["src"], False),
        (["src/"], True),
        (["lib/"], False),
        (["zzz"], False),
        (["zzz/"], False),
        (["*file"], True),
        (["*.py"], False),
        (["**/*.py"], True),
        (["**/*.so.1"], True),
        (["**/*.rb"], False),
        (["**/*.{rb,py}"], True),
        (["src/*/*.py"], True),
        (["nothing", "*.y"], True),
        ([".en?"], True),
        ([], False),
    ],
)
def test_existing_files(patterns: list[str], expected: bool) -> None:
    world = World(Fake(existing=FILES))
    assert world.exists(patterns) is expected
    assert world.exists(patterns) is expected


def test_only_globs_count_towards_the_limit_of_existing_files() -> None:
    world = World(Fake(existing=[f"d/{n}" for n in range(MAX_COMPARISONS + 1)]))
    assert not world.exists(["no", "**/*.no"])
    assert not world.exists(["no*"])
    assert world.exists(["**/no*"])


def test_facts_about_a_job() -> None:
    job = JobConfig("Build: App", AT, stage="b", when="manual")
    assert facts_of(job, Instance("Build: App: [x, y]", 2, 4)) == {
        "CI_JOB_NAME": "Build: App: [x, y]",
        "CI_JOB_NAME_SLUG": "build--app---x--y",
        "CI_JOB_GROUP_NAME": "Build: App",
        "CI_JOB_STAGE": "b",
        "CI_JOB_MANUAL": "true",
        "CI_NODE_INDEX": "2",
        "CI_NODE_TOTAL": "4",
    }
    plain = facts_of(JobConfig("a 1/2", AT), Instance("a 1/2"))
    assert (plain["CI_JOB_GROUP_NAME"], plain["CI_NODE_TOTAL"]) == ("a", "1")
    assert not {"CI_JOB_MANUAL", "CI_NODE_INDEX"} & set(plain)
