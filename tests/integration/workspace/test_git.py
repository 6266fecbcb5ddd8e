"""What git says about real checkouts."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tracekeeper.errors import WorkspaceError
from tracekeeper.workspace.git import NO_SHA, GitState, describe
from tracekeeper.workspace.project import Project
from tracekeeper.workspace.repository import REDIRECTING

Git = Callable[..., str]


def state_of(project: Path) -> GitState:
    state = describe(project)
    assert state
    return state


def test_a_branch(project: Path, git: Git) -> None:
    state = state_of(project)
    assert state.sha == git(project, "rev-parse", "HEAD").strip()
    assert state.before_sha == git(project, "rev-parse", "HEAD~").strip()
    assert (state.branch, state.tag, state.ref_name) == ("main", "", "main")
    assert (state.message, state.title) == ("Second\n", "Second")
    assert state.author == "Ada <ada@example.com>"
    assert state.timestamp == git(project, "log", "-1", "--format=%cI").strip()
    assert (state.default_branch, state.remote_url) == ("main", "")
    assert state.project_path == "local/project"
    assert state.repository.toplevel == project


def test_the_first_commit(project: Path, git: Git) -> None:
    git(project, "checkout", "-q", "HEAD~")
    state = state_of(project)
    assert state.before_sha == NO_SHA
    assert state.message == "First\n\nWith a body.\n"
    assert (state.branch, state.tag) == ("", "")
    assert state.ref_name == state.sha


def test_tags_count_on_a_detached_head_only(project: Path, git: Git) -> None:
    git(project, "tag", "light")
    assert state_of(project).tag == ""
    git(project, "checkout", "-q", "light")
    assert (state_of(project).tag, state_of(project).tag_message) == ("light", "")
    git(project, "tag", "-d", "light")
    git(project, "tag", "-a", "group/v1", "-m", "The first\n\nrelease")
    state = state_of(project)
    assert (state.tag, state.tag_message) == ("group/v1", "The first\n\nrelease")
    assert state.ref_name == "group/v1"


def test_no_commit_yet(tmp_path: Path, git: Git) -> None:
    git(tmp_path, "init", "-q", "-b", "trunk")
    state = state_of(tmp_path)
    assert (state.sha, state.branch, state.message) == ("", "trunk", "")


def test_the_remote(project: Path, git: Git) -> None:
    git(project, "remote", "add", "fork", "git@host:fork/name.git")
    assert state_of(project).project_path == "fork/name"
    git(project, "remote", "add", "origin", "https://me:secret@host/group/name.git")
    state = state_of(project)
    assert state.remote_url == "https://host/group/name.git"
    assert state.project_path == "group/name"
    git(project, "config", "branch.main.remote", "fork")
    assert state_of(project).project_path == "fork/name"


def test_the_default_branch_is_what_the_remote_says(
    project: Path, git: Git, tmp_path: Path
) -> None:
    git(project, "checkout", "-qb", "devel/next")
    git(tmp_path, "clone", "-q", str(project), "clone")
    git(tmp_path / "clone", "checkout", "-qb", "topic")
    assert state_of(tmp_path / "clone").default_branch == "devel/next"
    git(project, "checkout", "-qb", "topic")
    assert state_of(project).default_branch == "main"
    git(project, "branch", "-m", "main", "master")
    git(project, "config", "init.defaultBranch", "devel/next")
    assert state_of(project).default_branch == "devel/next"
    git(project, "branch", "-D", "devel/next")
    assert state_of(project).default_branch == "master"
    git(project, "branch", "-D", "master")
    assert state_of(project).default_branch == "devel/next"


def test_a_linked_worktree_and_a_directory_below(project: Path, git: Git, tmp_path: Path) -> None:
    git(project, "worktree", "add", "-q", "-b", "other", str(tmp_path / "linked"))
    state = state_of(tmp_path / "linked/d")
    assert state.branch == "other"
    assert state.repository.toplevel == tmp_path / "linked"
    assert state.repository.git_dir == project / ".git/worktrees/linked"
    assert state.repository.common_dir == project / ".git"


def test_outside_of_git(tmp_path: Path) -> None:
    assert describe(tmp_path) is None


def test_the_variables_of_a_hook_do_not_lead_astray(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    assert state_of(project).branch == "main"
    assert "file" in Project(project).paths()


def test_every_variable_of_a_hook_is_known() -> None:
    listed = subprocess.run(
        ["git", "rev-parse", "--local-env-vars"], capture_output=True, text=True, check=True
    )
    passed_on = {"GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT"}
    assert set(listed.stdout.split()) - passed_on <= set(REDIRECTING)


@pytest.mark.root
def test_a_checkout_of_another_user(project: Path) -> None:
    os.chown(project, 12345, 12345)
    os.chown(project / ".git", 12345, 12345)
    with pytest.raises(WorkspaceError, match="belongs to another user") as caught:
        describe(project)
    assert f"safe.directory {project}" in caught.value.hint


def test_a_damaged_repository(project: Path) -> None:
    (project / ".git/refs/heads/main").write_text("0123\n")
    with pytest.raises(WorkspaceError, match="git cannot read"):
        describe(project)


def test_a_message_in_another_encoding(project: Path, git: Git) -> None:
    (project / "message").write_bytes("Grüße".encode("latin-1"))
    git(project, "-c", "i18n.commitEncoding=latin1", "commit", "-q", "--allow-empty", "-Fmessage")
    assert state_of(project).title == "Grüße"


def test_paths_are_tracked_and_not_ignored_ones(project: Path) -> None:
    (project / "new ü\n").touch()
    (project / "x.log").touch()
    (project / "ignored").mkdir()
    (project / "ignored/x").touch()
    (project / "file").unlink()
    (project / ".tracekeeper").mkdir()
    (project / ".tracekeeper/x").touch()
    expected = [".gitignore", "d/e/deep", "link", "new ü\n", "run"]
    assert Project(project).paths() == expected
    assert Project(project / "d").paths() == ["e/deep"]
