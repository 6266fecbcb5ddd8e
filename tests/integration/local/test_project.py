"""The project at hand: what its checkout says, against git itself."""

from pathlib import Path
from typing import Any

import pytest

from tracekeeper.errors import InvalidPipeline, UsageError
from tracekeeper.local.project import LocalProject
from tracekeeper.pipeline.config import Variable


def test_facts_of_a_checkout(checkout: Any) -> None:
    checkout.pipeline("job: {script: [echo]}")
    checkout.git("remote", "add", "origin", "https://user:secret@example.org/group/app.git")
    project = LocalProject(checkout.root, number=7, created_at=1)
    facts = project.facts
    assert facts.git.sha == checkout.git("rev-parse", "HEAD").strip()
    assert (facts.git.ref, facts.git.is_tag) == ("main", False)
    assert facts.git.message.strip() == "state"
    assert facts.git.author == "A <a@example.org>"
    assert facts.project.path == "group/app"
    assert (facts.id, facts.iid, facts.created_at) == (7, 7, 1)
    assert "secret" not in str(facts)
    assert project.variables["CI_COMMIT_BRANCH"].value == "main"


def test_facts_outside_of_git(tmp_path: Path) -> None:
    project = LocalProject(tmp_path)
    assert project.git is None
    assert (project.facts.git.sha, project.facts.git.ref) == ("", "")
    assert project.facts.project.path == f"local/{tmp_path.name}"


def test_variables_of_the_user_are_known_to_rules(checkout: Any) -> None:
    checkout.pipeline("""
one: {script: [echo], rules: [{if: $WHICH == "one"}]}
two: {script: [echo], rules: [{if: $WHICH == "two"}]}
""")
    project = LocalProject(checkout.root, overrides={"WHICH": Variable("WHICH", "two")})
    assert list(project.pipeline.jobs) == ["two"]


def test_changes_are_asked_of_git(checkout: Any) -> None:
    checkout.write("a", "1")
    checkout.pipeline("""
a: {script: [echo], rules: [{changes: {paths: [a], compare_to: HEAD}}]}
b: {script: [echo], rules: [{changes: {paths: [b], compare_to: HEAD}}]}
""")
    checkout.write("a", "2")
    assert list(LocalProject(checkout.root).pipeline.jobs) == ["a"]


def test_no_project_and_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a directory"):
        LocalProject(tmp_path / "none")
    with pytest.raises(UsageError, match=r"there is no \.gitlab-ci\.yml in"):
        _ = LocalProject(tmp_path).pipeline


def test_a_file_that_is_wrong(checkout: Any) -> None:
    checkout.pipeline("job: {scrip: [echo]}")
    with pytest.raises(InvalidPipeline):
        _ = LocalProject(checkout.root).pipeline
