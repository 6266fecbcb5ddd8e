import os
import stat
import struct
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.errors import StorageError, WorkspaceError
from tracekeeper.workspace.unpack import extract


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = tmp_path / "project"
    project.mkdir()
    return project


def entry(name: str, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, (2020, 1, 2, 3, 4, 6))
    info.create_system = 3
    info.external_attr = mode << 16
    return info


def make(tmp_path: Path, *entries: tuple[zipfile.ZipInfo, bytes | str]) -> Path:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for info, content in entries:
            mode = info.external_attr
            archive.writestr(info, content)
            info.external_attr = mode
    return tmp_path / "a.zip"


def link(name: str, target: str) -> tuple[zipfile.ZipInfo, str]:
    return entry(name, stat.S_IFLNK | 0o777), target


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/etc/x", "a/./b", "a//b", "..", "a/..", "../"]
)
def test_names_that_leave_are_refused_before_anything_is_written(
    tmp_path: Path, project: Path, name: str
) -> None:
    archive = make(tmp_path, (entry("good"), b""), (entry(name), b""))
    with pytest.raises(WorkspaceError, match="nothing was unpacked"):
        extract(archive, project)
    assert os.listdir(project) == []


@pytest.mark.parametrize("target", ["..", "/", "../outside"])
def test_nothing_is_written_through_a_symlink_that_leads_out(
    tmp_path: Path, project: Path, target: str
) -> None:
    (tmp_path / "outside").mkdir()
    (project / "d").symlink_to(target)
    for name in ("d/x", "d/e/", "d/e/f/x"):
        archive = make(tmp_path, (entry(name), b""))
        with pytest.raises(WorkspaceError, match="leads out of the project"):
            extract(archive, project)
    assert os.listdir(tmp_path / "outside") == []


def test_a_symlink_and_a_file_through_it_in_one_archive(tmp_path: Path, project: Path) -> None:
    archive = make(tmp_path, link("d", "/tmp"), (entry("d/x"), b""))
    with pytest.raises(WorkspaceError, match=r"a\.zip has the file d, which is a directory here"):
        extract(archive, project)
    assert (project / "d/x").is_file()
    assert not (project / "d").is_symlink()


def test_a_second_archive_cannot_use_the_symlink_of_the_first(
    tmp_path: Path, project: Path
) -> None:
    extract(make(tmp_path, link("d", "..")), project)
    with pytest.raises(WorkspaceError, match="leads out"):
        extract(make(tmp_path, (entry("d/x"), b"")), project)
    assert not (tmp_path / "x").exists()


def test_a_symlink_inside_the_project_may_be_used(tmp_path: Path, project: Path) -> None:
    (project / "real").mkdir()
    (project / "d").symlink_to("real")
    extract(make(tmp_path, (entry("d/"), b""), (entry("d/x"), b"1")), project)
    assert (project / "real/x").read_bytes() == b"1"
    assert (project / "d").is_symlink()


@pytest.mark.parametrize("there", ["file", "symlink", "hard link", "nothing"])
def test_files_are_replaced_not_written_into(tmp_path: Path, project: Path, there: str) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"precious")
    other.chmod(0o444)
    if there == "file":
        (project / "x").write_bytes(b"old")
        (project / "x").chmod(0o444)
    elif there == "symlink":
        (project / "x").symlink_to(other)
    elif there == "hard link":
        os.link(other, project / "x")
    extract(make(tmp_path, (entry("x", stat.S_IFREG | 0o4755), b"new")), project)
    assert (project / "x").read_bytes() == b"new"
    assert stat.S_IMODE((project / "x").lstat().st_mode) == 0o755
    assert other.read_bytes() == b"precious"


def test_files_and_directories_do_not_replace_each_other(tmp_path: Path, project: Path) -> None:
    (project / "d").mkdir()
    (project / "f").touch()
    with pytest.raises(WorkspaceError, match="the file d, which is a directory here"):
        extract(make(tmp_path, (entry("d"), b"")), project)
    with pytest.raises(WorkspaceError, match="the directory f, which is a file here"):
        extract(make(tmp_path, (entry("f/x"), b"")), project)


def test_a_file_that_cannot_be_replaced(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.unlink", refuse)
    with pytest.raises(StorageError, match="x: Permission denied"):
        extract(make(tmp_path, (entry("x"), b"")), project)


def test_a_read_only_directory_gets_its_mode_last(tmp_path: Path, project: Path) -> None:
    archive = make(tmp_path, (entry("d/", stat.S_IFDIR | 0o555), b""), (entry("d/x"), b""))
    extract(archive, project)
    assert stat.S_IMODE((project / "d").stat().st_mode) == 0o555


def test_modes_and_times_of_an_archive_without_them(tmp_path: Path, project: Path) -> None:
    extract(make(tmp_path, (entry("x", 0), b""), (entry("d/", 0), b"")), project)
    assert stat.S_IMODE((project / "x").stat().st_mode) == 0o644
    assert stat.S_IMODE((project / "d").stat().st_mode) == 0o755
    assert (project / "x").stat().st_mtime % 86400 % 60 == 6


def test_other_extra_fields_are_passed_over(tmp_path: Path, project: Path) -> None:
    info = entry("x")
    info.extra = struct.pack("<HHHHHBi", 0x9999, 2, 0, 0x5455, 5, 1, 1_700_000_001)
    extract(make(tmp_path, (info, b"")), project)
    assert (project / "x").stat().st_mtime == 1_700_000_001


def test_bombs_are_bounded_by_what_they_say(tmp_path: Path, project: Path) -> None:
    archive = make(tmp_path, (entry("x"), b"0" * 1001))
    with pytest.raises(WorkspaceError, match="more than 1000 bytes"):
        extract(archive, project, most_bytes=1000)
    assert os.listdir(project) == []


def test_bombs_are_bounded_by_what_they_do(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = make(tmp_path, (entry("a"), b"0" * 600), (entry("b"), b"0" * 600))
    monkeypatch.setattr("builtins.sum", lambda _: 0)
    with pytest.raises(WorkspaceError, match="more than 1000 bytes"):
        extract(archive, project, most_bytes=1000)
    assert os.listdir(project) == ["a"]


def test_a_symlink_of_absurd_length(tmp_path: Path, project: Path) -> None:
    with pytest.raises(WorkspaceError, match="x is no symlink"):
        extract(make(tmp_path, link("x", "y" * 5000)), project)


def test_a_damaged_file_leaves_nothing(tmp_path: Path, project: Path) -> None:
    archive = make(tmp_path, (entry("x"), b"content"))
    archive.write_bytes(archive.read_bytes().replace(b"content", b"CONTENT"))
    with pytest.raises(WorkspaceError, match="damaged: Bad CRC"):
        extract(archive, project)
    assert os.listdir(project) == []


def test_an_encrypted_archive(tmp_path: Path, project: Path) -> None:
    archive = make(tmp_path, (entry("x"), b"content"))
    data = bytearray(archive.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(data)
    with pytest.raises(WorkspaceError, match=r"cannot be read: .*encrypted"):
        extract(archive, project)


def test_a_missing_archive(project: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"a\.zip does not exist"):
        extract(project / "a.zip", project)


@given(st.binary(max_size=300), st.integers(0, 300), st.integers(1, 255))
def test_any_damage_ends_with_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, at: int, flip: int
) -> None:
    directory = tmp_path_factory.mktemp("zip")
    archive = make(directory, (entry("x"), content), (entry("d/"), b""), link("l", "x"))
    data = bytearray(archive.read_bytes())
    data[at % len(data)] ^= flip
    archive.write_bytes(data)
    (directory / "out").mkdir()
    with suppress(WorkspaceError, StorageError):
        extract(archive, directory / "out")
    assert sorted(os.listdir(directory)) == ["a.zip", "out"]
