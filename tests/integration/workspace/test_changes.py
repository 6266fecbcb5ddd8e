"""rules:changes in real checkouts."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tracekeeper.errors import WorkspaceError
from tracekeeper.workspace.changes import changed

Git = Callable[..., str]


def commit(project: Path, git: Git, name: str) -> None:
    (project / name).write_text(name)
    git(project, "add", name)
    git(project, "commit", "-qm", name)


@pytest.fixture
def clone(project: Path, git: Git, tmp_path: Path) -> Path:
    git(tmp_path, "clone", "-q", str(project), "clone")
    return tmp_path / "clone"


def test_since_the_last_push(clone: Path, git: Git) -> None:
    commit(clone, git, "committed")
    (clone / "run").unlink()
    (clone / "staged").touch()
    git(clone, "add", "staged")
    (clone / "untracked").touch()
    (clone / "x.log").touch()
    assert changed(clone) == ["committed", "run", "staged", "untracked"]


def test_all_pushed_is_what_the_last_commit_changed(clone: Path, project: Path, git: Git) -> None:
    assert changed(clone) == ["file"]
    (clone / "untracked").touch()
    assert changed(clone) == ["untracked"]


def test_a_new_branch_is_compared_with_where_it_left_the_default_branch(
    clone: Path, git: Git
) -> None:
    git(clone, "checkout", "-qb", "topic")
    commit(clone, git, "topic")
    git(clone, "checkout", "-q", "main")
    commit(clone, git, "main-only")
    git(clone, "checkout", "-q", "topic")
    assert changed(clone) == ["topic"]
    git(clone, "checkout", "-q", "--detach")
    assert changed(clone) == ["topic"]


def test_a_branch_of_a_repository_without_remotes(project: Path, git: Git) -> None:
    git(project, "checkout", "-qb", "topic")
    commit(project, git, "topic")
    assert changed(project) == ["topic"]


def test_a_rename_is_both_paths(clone: Path, git: Git) -> None:
    git(clone, "mv", "file", "renamed")
    assert changed(clone) == ["file", "renamed"]


def test_unknown(project: Path, git: Git, tmp_path: Path) -> None:
    assert changed(tmp_path) is None
    assert changed(project) is None, "the default branch, never pushed"
    git(project, "tag", "v1")
    git(project, "checkout", "-q", "v1")
    assert changed(project) is None, "a tag"


def test_without_a_commit_everything_is_new(tmp_path: Path, git: Git) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "staged").touch()
    git(tmp_path, "add", "staged")
    (tmp_path / "untracked").touch()
    assert changed(tmp_path) == ["staged", "untracked"]


def test_the_first_commit_pushed(tmp_path: Path, git: Git) -> None:
    git(tmp_path, "init", "-q", "--bare", "server.git")
    git(tmp_path, "clone", "-q", "server.git", "clone")
    commit(tmp_path / "clone", git, "first")
    git(tmp_path / "clone", "push", "-q", "-u", "origin", "HEAD")
    assert changed(tmp_path / "clone") == ["first"]


def test_compare_to(clone: Path, git: Git) -> None:
    git(clone, "checkout", "-qb", "release")
    git(clone, "push", "-q", "origin", "release")
    git(clone, "checkout", "-q", "main")
    commit(clone, git, "one")
    first = git(clone, "rev-parse", "HEAD").strip()
    commit(clone, git, "two")
    assert changed(clone, "release") == ["one", "two"]
    assert changed(clone, first) == ["two"]
    assert changed(clone, "HEAD") == []
    git(clone, "branch", "-D", "release")
    assert changed(clone, "release") == ["one", "two"], "found at the origin"
    assert changed(clone, "refs/heads/release") == ["one", "two"]


@pytest.mark.parametrize("name", ["none", "--all", "-x"])
def test_compare_to_nothing(clone: Path, name: str) -> None:
    with pytest.raises(WorkspaceError, match="which this checkout does not have") as caught:
        changed(clone, name)
    assert "git fetch origin" in caught.value.hint


def test_paths_are_relative_to_the_project(clone: Path) -> None:
    (clone / "d/new").touch()
    (clone / "other").touch()
    assert changed(clone / "d") == ["new"]
