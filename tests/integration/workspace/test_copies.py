"""A job's copy, brought back whatever a job did to it."""

import os
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracekeeper.errors import StorageError
from tracekeeper.workspace import copies
from tracekeeper.workspace.checkout import Snapshot
from tracekeeper.workspace.copies import SnapshotCopy


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    project = tmp_path / "project"
    (project / "deep" / "er").mkdir(parents=True)
    for number in range(6):
        (project / "deep" / f"file{number}").write_text(f"content {number}")
    (project / "deep" / "er" / "program").write_text("#!/bin/sh\n")
    (project / "deep" / "er" / "program").chmod(0o755)
    (project / "link").symlink_to("deep/file1")
    subprocess.run(["git", "init", "-q", str(project)], check=True)
    subprocess.run(["git", "-C", str(project), "add", "-A"], check=True)
    return Snapshot.take(project, tmp_path / "snapshot")


def tree(root: Path) -> dict[str, tuple[int, str, int]]:
    """Mode, content or target, and time of every path."""
    found = {".": (root.stat().st_mode, "", 0)}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            found[str(path.relative_to(root))] = (status.st_mode, os.readlink(path), 0)
        elif stat.S_ISREG(status.st_mode):
            content = path.read_bytes().hex()
            found[str(path.relative_to(root))] = (status.st_mode, content, status.st_mtime_ns)
        else:
            found[str(path.relative_to(root))] = (status.st_mode, "", 0)
    return found


def fresh(snapshot: Snapshot, tmp_path: Path) -> dict[str, tuple[int, str, int]]:
    snapshot.materialize(tmp_path / "fresh")
    return tree(tmp_path / "fresh")


DEEDS = {
    "nothing": "true",
    "new file": "echo x > deep/new",
    "new tree": "mkdir -p new/tree; echo x > new/tree/file",
    "overwritten": "echo other > deep/file0",
    "disguised": "f=deep/file0; touch -r $f ../t; printf 'content X' > $f; touch -r ../t $f",
    "removed": "rm -f deep/file0",
    "all removed": "rm -rf deep link .git",
    "itself removed": 'rm -rf "$PWD"',
    "replaced by an equal file": "cp -p deep/file0 x && mv x deep/file0",
    "linked": "ln -f deep/file0 ../outside",
    "other mode": "chmod 777 deep/file0",
    "directory's mode": "chmod 700 deep",
    "its own mode": "chmod 700 .",
    "file for directory": "rm -rf deep; echo x > deep",
    "directory for file": "rm -rf deep/file0; mkdir -p deep/file0/deeper",
    "link for directory": "rm -rf deep; ln -s /etc deep",
    "link elsewhere": "ln -sfn /etc link",
    "pipe": "mkfifo deep/pipe",
    "index": "echo broken > .git/index",
}
"""What jobs may do to their copies. One after the other, some of them fail."""


def do(deed: str, root: Path) -> None:
    subprocess.run(["sh", "-c", DEEDS[deed]], cwd=root, stderr=subprocess.DEVNULL, check=False)


@pytest.mark.parametrize("deed", DEEDS)
def test_whatever_a_job_did_is_undone(snapshot: Snapshot, tmp_path: Path, deed: str) -> None:
    copy = SnapshotCopy(snapshot, tmp_path / "copy")
    copy.refresh()
    do(deed, tmp_path / "copy")
    copy.refresh()
    assert tree(tmp_path / "copy") == fresh(snapshot, tmp_path)


def test_what_nobody_touched_is_not_made_again(snapshot: Snapshot, tmp_path: Path) -> None:
    copy = SnapshotCopy(snapshot, tmp_path / "copy")
    copy.refresh()
    kept, touched = tmp_path / "copy" / "deep" / "file1", tmp_path / "copy" / "deep" / "file2"
    before = kept.stat().st_ino
    handle = touched.open()  # its inode is not used again
    touched.write_text("x")
    copy.refresh()
    assert kept.stat().st_ino == before
    assert touched.stat().st_ino != os.fstat(handle.fileno()).st_ino
    handle.close()


def test_a_link_to_a_file_of_an_earlier_job_does_not_reach_the_next(
    snapshot: Snapshot, tmp_path: Path
) -> None:
    copy = SnapshotCopy(snapshot, tmp_path / "copy")
    copy.refresh()
    os.link(tmp_path / "copy" / "deep" / "file0", tmp_path / "outside")
    copy.refresh()
    (tmp_path / "outside").write_text("from outside")
    assert (tmp_path / "copy" / "deep" / "file0").read_text() == "content 0"


@given(st.lists(st.lists(st.sampled_from(sorted(DEEDS)), max_size=4), max_size=4))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_deeds_of_several_jobs(
    snapshot: Snapshot, tmp_path: Path, jobs: list[list[str]]
) -> None:
    copy = SnapshotCopy(snapshot, tmp_path / "copy")
    copy.refresh()
    expected = tree(tmp_path / "copy")
    for deeds in jobs:
        for deed in deeds:
            if (tmp_path / "copy").exists():
                do(deed, tmp_path / "copy")
        copy.refresh()
        assert tree(tmp_path / "copy") == expected


def test_a_copy_that_resists_is_made_anew(
    snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = SnapshotCopy(snapshot, tmp_path / "copy")
    copy.refresh()
    (tmp_path / "copy" / "deep" / "new").write_text("x")
    real = copies._remove

    def refuse(item: os.DirEntry[str]) -> None:
        monkeypatch.setattr(copies, "_remove", real)
        raise PermissionError(13, "refused", item.path)

    monkeypatch.setattr(copies, "_remove", refuse)
    copy.refresh()
    assert copies._remove is real
    assert tree(tmp_path / "copy") == fresh(snapshot, tmp_path)


def test_times_of_whole_seconds_are_not_trusted(
    snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = SnapshotCopy(snapshot, tmp_path / "copy")
    monkeypatch.setattr(copies, "_SECOND", 1)
    copy.refresh()
    before = (tmp_path / "copy" / "deep" / "file1").stat().st_ctime_ns
    copy.refresh()
    assert (tmp_path / "copy" / "deep" / "file1").stat().st_ctime_ns != before


def test_a_full_disk_is_a_sentence(
    snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StorageError("no room")

    monkeypatch.setattr(copies, "copy_entry", full)
    with pytest.raises(StorageError):
        SnapshotCopy(snapshot, tmp_path / "copy").refresh()
