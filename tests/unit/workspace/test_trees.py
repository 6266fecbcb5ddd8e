"""Removing trees: whatever is closed inside is opened, and nothing outside is touched."""

import os
from pathlib import Path

import pytest

from tracekeeper.errors import StorageError
from tracekeeper.workspace.trees import remove_tree


def test_a_tree_and_one_that_is_not_there(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "closed" / "deep").mkdir(parents=True)
    (tree / "closed" / "file").touch()
    (tree / "closed").chmod(0o500)
    remove_tree(tree)
    remove_tree(tree)
    assert list(tmp_path.iterdir()) == []


def test_the_directory_around_a_tree_that_refuses_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str, **_: object) -> None:
        raise PermissionError(1, "not permitted", path)

    tree = tmp_path / "around" / "tree"
    tree.mkdir(parents=True)
    tree.parent.chmod(0o755)
    monkeypatch.setattr(os, "rmdir", refuse)
    with pytest.raises(StorageError, match="not permitted"):
        remove_tree(tree)
    assert tree.parent.stat().st_mode & 0o777 == 0o755
