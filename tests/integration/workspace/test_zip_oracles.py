"""Archives of ours in Info-ZIP's hands, and its archives in ours."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tracekeeper.errors import StorageError
from tracekeeper.workspace.archive import create_zip
from tracekeeper.workspace.unpack import extract

PATHS = ["d", "d/empty", "d/run", "ä b", "big", "link"]


def needs(tool: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(tool) is None, reason=f"{tool} is not installed")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "d/empty").mkdir(parents=True)
    (root / "d/run").write_text("#!/bin/sh\n")
    (root / "d/run").chmod(0o750)
    (root / "ä b").write_text("x")
    (root / "big").write_bytes(b"0123456789" * 100_000)
    (root / "link").symlink_to("d/run")
    for path in ("d/run", "ä b", "big", "d/empty", "d"):
        os.utime(root / path, (1_700_000_001, 1_700_000_001))
    return root


def run(directory: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def listing(root: Path) -> str:
    return run(root, "find", ".", "-mindepth", "1", "-printf", "%p %m %l %s %T@\n")


def same(one: Path, other: Path) -> bool:
    """Whether find sees the same names, modes, sizes and times, and diff the same content."""
    run(one.parent, "diff", "-r", "--no-dereference", str(one), str(other))
    without_links = [
        sorted(line for line in listing(root).splitlines() if " 777 " not in line)
        for root in (one, other)
    ]
    return without_links[0] == without_links[1]


@needs("unzip")
@pytest.mark.parametrize("level", [0, 6])
def test_unzip_reads_ours(tree: Path, tmp_path: Path, level: int) -> None:
    create_zip(tree, PATHS, tmp_path / "a.zip", level=level)
    assert "No errors detected" in run(tmp_path, "unzip", "-t", "a.zip")
    run(tmp_path, "unzip", "-q", "a.zip", "-d", "out")
    assert same(tree, tmp_path / "out")


@needs("zip")
def test_we_read_zip_s(tree: Path, tmp_path: Path) -> None:
    run(tree, "zip", "-qry", "../a.zip", ".")
    (tmp_path / "out").mkdir()
    extract(tmp_path / "a.zip", tmp_path / "out")
    assert same(tree, tmp_path / "out")


@pytest.mark.root
def test_a_disk_that_fills_up(tmp_path: Path, tree: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    run(tmp_path, "mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(small))
    try:
        with pytest.raises(StorageError, match="the disk is full"):
            create_zip(tree, PATHS, small / "a.zip", level=0)
        assert os.listdir(small) == []
        create_zip(tree, PATHS, tmp_path / "a.zip")
        with pytest.raises(StorageError, match="the disk is full"):
            extract(tmp_path / "a.zip", small)
        assert not (small / "big").exists()
    finally:
        run(tmp_path, "umount", str(small))
