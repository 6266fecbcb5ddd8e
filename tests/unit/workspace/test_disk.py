import errno
import os
from pathlib import Path

import pytest

from tracekeeper.errors import StorageError
from tracekeeper.workspace import disk

FULL = OSError(errno.ENOSPC, "No space left on device")


def copy(source: Path, target: Path, mode: int = 0o644) -> None:
    descriptor = os.open(source, os.O_RDONLY)
    try:
        disk.copy_file(descriptor, str(target), mode, 1_700_000_000_123_456_789)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("size", [0, 1, disk.CHUNK - 1, disk.CHUNK, disk.CHUNK + 1, 3 * disk.CHUNK])
def test_copy_keeps_content_mode_and_time(tmp_path: Path, size: int) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(size))
    copy(source, target, 0o555)
    assert target.read_bytes() == source.read_bytes()
    assert target.stat().st_mode & 0o777 == 0o555
    assert target.stat().st_mtime_ns == 1_700_000_000_123_456_789


@pytest.mark.parametrize("refusal", [errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP])
def test_copy_where_the_kernel_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: int
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(refusal, "no")

    monkeypatch.setattr("os.copy_file_range", refuse)
    (tmp_path / "source").write_bytes(os.urandom(2 * disk.CHUNK + 7))
    copy(tmp_path / "source", tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == (tmp_path / "source").read_bytes()


def test_copy_without_copy_file_range(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("os.copy_file_range")
    (tmp_path / "source").write_bytes(os.urandom(disk.CHUNK + 7))
    copy(tmp_path / "source", tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == (tmp_path / "source").read_bytes()


@pytest.mark.parametrize(("function", "size"), [("write", 3), ("copy_file_range", disk.CHUNK * 2)])
def test_a_full_disk_leaves_no_half_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, size: int
) -> None:
    def full(*_: object) -> int:
        raise FULL

    (tmp_path / "source").write_bytes(b"x" * size)
    monkeypatch.setattr(f"os.{function}", full)
    with pytest.raises(StorageError, match="target: the disk is full") as caught:
        copy(tmp_path / "source", tmp_path / "target")
    assert caught.value.hint
    assert not (tmp_path / "target").exists()


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr("os.write", lambda descriptor, data: write(descriptor, data[:2]))
    (tmp_path / "source").write_bytes(b"12345")
    copy(tmp_path / "source", tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b"12345"


def test_written_whole_replaces_at_once(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    for content in (b"one", b"two"):
        with disk.written_whole(path) as file:
            file.write(content)
        assert path.read_bytes() == content
    assert os.listdir(path.parent) == ["file"]


@pytest.mark.parametrize(("error", "raised"), [(FULL, StorageError), (KeyError(), KeyError)])
def test_written_whole_or_not_at_all(
    tmp_path: Path, error: Exception, raised: type[Exception]
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail() -> None:
        with disk.written_whole(path) as file:
            file.write(b"new")
            raise error

    with pytest.raises(raised):
        fail()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_other_errors_have_a_sentence_too() -> None:
    with pytest.raises(StorageError, match="cannot write x: Permission denied"), disk.storing("x"):
        raise PermissionError(errno.EACCES, "Permission denied")


def test_walk_follows_no_symlink(tmp_path: Path) -> None:
    (tmp_path / "d/e").mkdir(parents=True)
    (tmp_path / "d/e/file").touch()
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/file").touch()
    (tmp_path / "loop").symlink_to(".")
    assert sorted(disk.walk(tmp_path, ("kept",))) == ["d/e/file", "loop"]
    assert list(disk.walk(tmp_path / "nowhere")) == []
