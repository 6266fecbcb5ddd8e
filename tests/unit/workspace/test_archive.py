import gzip
import os
import random
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.errors import StorageError, WorkspaceError
from tracekeeper.workspace.archive import create_gzip, create_zip
from tracekeeper.workspace.unpack import extract

TIME = 1_700_000_001  # odd: a DOS time alone would lose a second
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=8)
TREES = st.dictionaries(
    NAMES.filter(lambda name: name not in {".", ".."}), st.binary(max_size=64) | NAMES, max_size=6
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "d/empty").mkdir(parents=True)
    (root / "d/run").write_bytes(b"#!/bin/sh\n")
    (root / "d/run").chmod(0o755)
    (root / "ä b").write_bytes(random.Random(1).randbytes(300_000))
    (root / "read-only").write_bytes(b"x" * 100)
    (root / "read-only").chmod(0o444)
    (root / "link").symlink_to("d/run")
    (root / "dangling").symlink_to("/nowhere/at/all")
    for path in ("d/run", "ä b", "read-only", "d/empty", "d"):
        os.utime(root / path, (TIME, TIME))
    return root


PATHS = ["d", "d/empty", "d/run", "ä b", "read-only", "link", "dangling"]


def snapshot(root: Path) -> dict[str, tuple[int, float, bytes | str]]:
    found: dict[str, tuple[int, float, bytes | str]] = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = (stat.S_IFLNK, 0, os.readlink(path))
        else:
            content = path.read_bytes() if path.is_file() else b""
            found[name] = (status.st_mode, status.st_mtime, content)
    return found


@pytest.mark.parametrize("level", [0, 1, 9])
def test_round_trip(tree: Path, tmp_path: Path, level: int) -> None:
    archive = tmp_path / "a.zip"
    assert create_zip(tree, [*PATHS, "d"], archive, level=level) == len(PATHS)
    destination = tmp_path / "out"
    destination.mkdir()
    assert extract(archive, destination) == len(PATHS)
    assert snapshot(destination) == snapshot(tree)


@given(TREES)
def test_any_tree_comes_back(
    tmp_path_factory: pytest.TempPathFactory, tree: dict[str, object]
) -> None:
    root = tmp_path_factory.mktemp("tree")
    for name, content in tree.items():
        if isinstance(content, bytes):
            (root / name).write_bytes(content)
        else:
            (root / name).symlink_to(str(content))
    archive = root.with_suffix(".zip")
    create_zip(root, tree, archive)
    destination = root.with_suffix(".out")
    destination.mkdir()
    extract(archive, destination)
    assert {k: v[2] for k, v in snapshot(destination).items()} == tree


def test_the_same_files_make_the_same_archive(tree: Path, tmp_path: Path) -> None:
    create_zip(tree, PATHS, tmp_path / "1.zip")
    create_zip(tree, reversed(PATHS), tmp_path / "2.zip")
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()


def test_python_reads_it(tree: Path, tmp_path: Path) -> None:
    create_zip(tree, PATHS, tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as opened:
        assert opened.testzip() is None
        assert opened.namelist() == [
            "d/",
            "d/empty/",
            "d/run",
            "dangling",
            "link",
            "read-only",
            "ä b",
        ]
        info = opened.getinfo("d/run")
        assert info.external_attr >> 16 == stat.S_IFREG | 0o755
        assert opened.read("link") == b"d/run"


def test_what_is_gone_or_no_file_is_left_out(tree: Path, tmp_path: Path) -> None:
    os.mkfifo(tree / "pipe")
    assert create_zip(tree, ["gone", "pipe", "d/run"], tmp_path / "a.zip") == 1


@pytest.mark.parametrize("when", [-(2**33), 0, 2**33, 2**38])
def test_times_that_a_zip_cannot_hold(tmp_path: Path, when: int) -> None:
    (tmp_path / "f").touch()
    os.utime(tmp_path / "f", (when, when))
    create_zip(tmp_path, ["f"], tmp_path / "a.zip")
    extract(tmp_path / "a.zip", tmp_path)


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff")).touch()
    with pytest.raises(WorkspaceError, match="not UTF-8"):
        create_zip(tmp_path, [os.fsdecode(b"\xff")], tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()


def test_a_growing_file_is_cut_at_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "log").write_bytes(b"12345")
    fstat = os.fstat

    def early(descriptor: int) -> os.stat_result:
        status = fstat(descriptor)
        with open(tmp_path / "log", "ab") as log:
            log.write(b"more")
        return status

    monkeypatch.setattr("tracekeeper.workspace.archive.os.fstat", early)
    create_zip(tmp_path, ["log"], tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as opened:
        assert opened.read("log") == b"12345"


def test_a_file_that_cannot_be_read(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tracekeeper.workspace.archive.os.open", refuse)
    with pytest.raises(WorkspaceError, match="cannot read d/run: Permission denied"):
        create_zip(tree, ["d/run"], tmp_path / "a.zip")
    assert sorted(os.listdir(tmp_path)) == ["tree"]


def test_nowhere_to_write(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"cannot write a\.zip"):
        create_zip(tree, PATHS, tmp_path / "file/a.zip")


def test_gzip_of_reports(tree: Path, tmp_path: Path) -> None:
    create_gzip(tree, ["d/run", "read-only"], tmp_path / "r.gz")
    packed = (tmp_path / "r.gz").read_bytes()
    assert gzip.decompress(packed) == b"#!/bin/sh\n" + b"x" * 100
    assert b"run\0" in packed
    create_gzip(tree, ["d", "d/run", "link", "gone", "read-only"], tmp_path / "again.gz")
    assert (tmp_path / "again.gz").read_bytes() == packed
