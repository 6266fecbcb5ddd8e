import os
from pathlib import Path

import pytest

from tracekeeper.errors import WorkspaceError
from tracekeeper.pipeline.world import ProjectFiles
from tracekeeper.workspace.project import Project


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "d").mkdir(parents=True)
    (root / "d/file").write_bytes(b"content")
    (root / "inside").symlink_to("d/file")
    (root / "outside").symlink_to("../secret")
    (root / "up").symlink_to("..")
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "project-2").mkdir()
    (tmp_path / "project-2/file").write_bytes(b"secret")
    (root / ".tracekeeper/runs").mkdir(parents=True)
    (root / ".tracekeeper/runs/log").touch()
    return root


@pytest.mark.parametrize("path", ["d/file", "inside", "./d/../d/file", "up/project/d/file"])
def test_reads_what_is_inside(root: Path, path: str) -> None:
    assert Project(root).read(path) == b"content"


@pytest.mark.parametrize(
    "path",
    [
        *("../secret", "outside", "up/secret", "/etc/passwd", "../project-2/file"),
        *("", ".", "d", "none", "d/file/x", "nul\0", "up"),
    ],
)
def test_reads_nothing_else(root: Path, path: str) -> None:
    assert Project(root).read(path) is None


def test_a_file_that_cannot_be_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(WorkspaceError, match="cannot read d/file: Permission denied"):
        Project(root).read("d/file")


def test_paths_outside_of_git_are_all_files_but_our_own(root: Path) -> None:
    project: ProjectFiles = Project(root)
    assert project.paths() == ["d/file", "inside", "outside", "up"]


def test_paths_are_listed_once(root: Path) -> None:
    project = Project(root)
    before = project.paths()
    os.unlink(root / "d/file")
    assert project.paths() == before
