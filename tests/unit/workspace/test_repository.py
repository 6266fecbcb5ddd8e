import os
from pathlib import Path

import pytest

from tracekeeper.errors import WorkspaceError
from tracekeeper.workspace.repository import Repository, find_repository, git, refuse, split_paths


def test_finds_the_repository_above(tmp_path: Path) -> None:
    git_dir = tmp_path / ".git"
    (tmp_path / "a/b").mkdir(parents=True)
    git_dir.mkdir()
    assert find_repository(tmp_path / "a/b") is None
    (git_dir / "HEAD").touch()
    assert find_repository(tmp_path / "a/b") == Repository(tmp_path, git_dir, git_dir)


def test_a_file_may_name_the_git_directory(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "main/.git/worktrees/w").mkdir(parents=True)
    (tmp_path / "main/.git/worktrees/w/commondir").write_text("../..\n")
    (tmp_path / "work/.git").write_text("gitdir: ../main/.git/worktrees/w\n")
    assert find_repository(tmp_path / "work") == Repository(
        tmp_path / "work", tmp_path / "main/.git/worktrees/w", tmp_path / "main/.git"
    )
    (tmp_path / "work/.git").write_text("something else")
    assert find_repository(tmp_path / "work") is None


def test_git_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WorkspaceError, match=r"git is needed .* not installed"):
        git(tmp_path, "version")


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="none does not exist"):
        git(tmp_path / "none", "version")


def test_another_user_s_checkout_has_a_way_out() -> None:
    with pytest.raises(WorkspaceError, match="belongs to another user") as caught:
        refuse(Path("/p"), "fatal: detected dubious ownership in repository at '/p'\nTo add…")
    assert caught.value.hint == "run: git config --global --add safe.directory /p"


@pytest.mark.parametrize(
    ("errors", "sentence"), [("fatal: bad thing\nmore", "bad thing$"), ("", "gave no reason")]
)
def test_other_refusals_are_passed_on(errors: str, sentence: str) -> None:
    with pytest.raises(WorkspaceError, match=sentence):
        refuse(Path("/p"), errors)


@pytest.mark.parametrize("command", ["no-such-command", "log"])
def test_a_git_that_fails(tmp_path: Path, command: str) -> None:
    with pytest.raises(WorkspaceError, match=f"git cannot read {tmp_path}"):
        git(tmp_path, command)


def test_any_bytes_are_a_path() -> None:
    assert [os.fsencode(path) for path in split_paths(b"a\nb\0\xff\0")] == [b"a\nb", b"\xff"]
    assert split_paths(b"") == []
