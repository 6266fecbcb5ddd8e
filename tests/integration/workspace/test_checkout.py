"""Snapshots: git says the same in a copy as in the original, which stays as it is."""

import io
import os
import random
import stat
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tracekeeper.errors import StorageError, WorkspaceError
from tracekeeper.workspace.checkout import Snapshot
from tracekeeper.workspace.entry import Entry
from tracekeeper.workspace.project import Project
from tracekeeper.workspace.tar import tar_stream

Git = Callable[..., str]

QUESTIONS = (
    ("status", "--porcelain=v2", "--branch"),
    ("status", "--porcelain", "--ignored"),
    ("diff",),
    ("diff", "--cached"),
    ("diff-index", "HEAD"),
    ("log", "--all", "--decorate=full", "--format=%H %P %D %s"),
    ("describe", "--always", "--dirty", "--tags"),
    ("for-each-ref",),
    ("ls-files", "-s", "--deduplicate"),
    ("remote", "-v"),
    ("submodule", "status", "--recursive"),
)


def answers(git: Git, directory: Path) -> dict[str, str]:
    return {" ".join(question): git(directory, *question) for question in QUESTIONS}


def contents(root: Path) -> dict[str, object]:
    """Everything below `root`, byte for byte. git itself renews the times of its own files."""
    found: dict[str, object] = {}
    for path in root.rglob("*"):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = os.readlink(path)
        elif path.is_file():
            status = path.stat()
            time = 0 if ".git/" in name else status.st_mtime_ns
            found[name] = (status.st_mode, time, path.read_bytes())
    return found


def unpack(snapshot: Snapshot, destination: Path) -> Path:
    """The tar of `snapshot`, as GNU tar unpacks it."""
    destination.mkdir()
    command = ["tar", "-xp", "--no-same-owner", "-C", str(destination)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin
        for piece in snapshot.tar("builds/p"):
            process.stdin.write(piece)
    assert process.returncode == 0
    return destination / "builds/p"


def check(project: Path, git: Git, tmp_path: Path) -> Snapshot:
    """Git says the same in the project, in a copy, in the tar and in the consumed snapshot."""
    before = contents(project)
    snapshot = Snapshot.take(project, tmp_path / "snapshot")
    copy, consumed = tmp_path / "copies/1", tmp_path / "copies/2"
    snapshot.materialize(copy)
    in_tar = unpack(snapshot, tmp_path / "tar")
    assert contents(project) == before, "the user's tree was changed"
    expected = answers(git, project)
    assert contents(project).keys() == before.keys()
    for place in (copy, in_tar):
        assert answers(git, place) == expected
    assert git(in_tar, "fsck", "--full") == git(project, "fsck", "--full")
    snapshot.materialize(consumed, consume=True)
    assert answers(git, consumed) == expected
    return snapshot


def edit(project: Path, git: Git) -> None:
    """Every kind of change that is not committed."""
    (project / "file").write_text("edited\n")
    (project / "run").chmod(0o644)
    (project / "staged").write_text("staged\n")
    git(project, "add", "staged")
    (project / "d/e/deep").unlink()
    (project / "untracked ü\n").write_text("untracked\n")
    (project / "x.log").write_text("ignored\n")
    (project / "ignored").mkdir()
    (project / "ignored/x").write_text("ignored\n")
    (project / "new").symlink_to("nowhere")


def test_a_clean_checkout(project: Path, git: Git, tmp_path: Path) -> None:
    git(project, "tag", "-a", "v1", "-m", "One")
    check(project, git, tmp_path)


def test_uncommitted_changes(project: Path, git: Git, tmp_path: Path) -> None:
    edit(project, git)
    before = answers(git, project)
    snapshot = Snapshot.take(project, tmp_path / "snapshot")
    snapshot.materialize(tmp_path / "copy")
    after = answers(git, tmp_path / "copy")
    ignored = "status --porcelain --ignored"
    assert before.pop(ignored).replace("!! ignored/\n!! x.log\n", "") == after.pop(ignored)
    assert after == before
    assert snapshot.paths == {
        *(".gitignore", "file", "link", "new", "run", "staged", "untracked ü\n"),
    }
    assert not snapshot.notes
    assert (tmp_path / "copy/file").read_text() == "edited\n"
    assert not os.access(tmp_path / "copy/file", os.X_OK)
    assert os.readlink(tmp_path / "copy/link") == "d/e/deep"
    assert (tmp_path / "copy/file").stat().st_mtime_ns == (project / "file").stat().st_mtime_ns


def test_packed_refs_remotes_merge_in_progress(project: Path, git: Git, tmp_path: Path) -> None:
    git(project, "gc", "-q")
    git(tmp_path, "clone", "-q", str(project), "clone")
    clone = tmp_path / "clone"
    git(clone, "checkout", "-qb", "a")
    (clone / "file").write_text("a\n")
    git(clone, "commit", "-qam", "a")
    git(clone, "checkout", "-qb", "b", "main")
    (clone / "file").write_text("b\n")
    git(clone, "commit", "-qam", "b")
    subprocess.run(["git", "merge", "-q", "a"], cwd=clone, check=False, capture_output=True)
    assert (clone / ".git/MERGE_HEAD").exists()
    check(clone, git, tmp_path)
    assert "still merging" in git(tmp_path / "copies/1", "status") or "unmerged" in git(
        tmp_path / "copies/1", "status"
    )


def test_a_linked_worktree(project: Path, git: Git, tmp_path: Path) -> None:
    git(project, "config", "extensions.worktreeConfig", "true")
    git(project, "worktree", "add", "-q", "-b", "other", str(tmp_path / "linked"))
    (tmp_path / "linked/file").write_text("other\n")
    git(project, "sparse-checkout", "set", "--no-cone", "/run")
    git(tmp_path / "linked", "sparse-checkout", "set", "--no-cone", "/file")
    check(tmp_path / "linked", git, tmp_path)
    assert (tmp_path / "copies/1/.git/HEAD").read_text() == "ref: refs/heads/other\n"


def test_a_worktree_of_a_bare_repository(project: Path, git: Git, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(project), "bare.git")
    git(tmp_path / "bare.git", "worktree", "add", "-q", str(tmp_path / "linked"), "main")
    check(tmp_path / "linked", git, tmp_path)


def test_a_shallow_clone(project: Path, git: Git, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{project}", "shallow")
    check(tmp_path / "shallow", git, tmp_path)


def test_a_clone_with_alternates_of_its_own(project: Path, git: Git, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--shared", str(project), "shared")
    check(tmp_path / "shared", git, tmp_path)


def test_a_split_index_and_a_sparse_checkout(project: Path, git: Git, tmp_path: Path) -> None:
    git(project, "update-index", "--split-index")
    git(project, "sparse-checkout", "set", "--no-cone", "/file", "/run")
    check(project, git, tmp_path)
    assert not (tmp_path / "copies/1/d").exists()


def test_submodules(project: Path, git: Git, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", str(project), "library")
    git(tmp_path, "clone", "-q", str(project), "inner")
    git(tmp_path / "library", "submodule", "add", "-q", str(tmp_path / "inner"), "sub/inner")
    git(tmp_path / "library", "commit", "-qm", "Add inner")
    git(project, "submodule", "add", "-q", str(tmp_path / "library"), "lib")
    git(project, "submodule", "add", "-q", str(tmp_path / "inner"), "absent")
    git(project, "commit", "-qm", "Add submodules")
    git(project, "submodule", "update", "-q", "--init", "--recursive")
    git(project, "submodule", "deinit", "-q", "-f", "absent")
    (project / "lib/file").write_text("changed in the submodule\n")
    (project / "lib/sub/inner/new").touch()
    snapshot = check(project, git, tmp_path)
    assert {directory.path for directory in snapshot.git_directories} == {
        *(".git", "lib/.git", "lib/sub/inner/.git"),
    }
    assert "lib/sub/inner/new" in snapshot.paths
    assert (tmp_path / "copies/1/absent").is_dir()


def test_a_repository_inside_that_is_no_submodule(project: Path, git: Git, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", str(project), str(project / "nested"))
    check(project, git, tmp_path)
    assert (tmp_path / "copies/1/nested/file").exists()


def test_a_directory_replaced_by_a_symlink(project: Path, git: Git, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/deep").write_text("not of the project\n")
    (project / "d/e/deep").unlink()
    (project / "d/e").rmdir()
    (project / "d/e").symlink_to(tmp_path / "outside")
    check(project, git, tmp_path)
    assert (tmp_path / "copies/1/d/e").is_symlink()


def test_no_commit_yet(tmp_path: Path, git: Git) -> None:
    project = tmp_path / "project"
    project.mkdir()
    git(project, "init", "-q")
    (project / "file").touch()
    Snapshot.take(project, tmp_path / "snapshot").materialize(tmp_path / "copy")
    assert git(tmp_path / "copy", "status", "--porcelain") == "?? file\n"


def test_no_hook_no_secret_no_data_of_ours(project: Path, git: Git, tmp_path: Path) -> None:
    (project / ".git/hooks").mkdir(exist_ok=True)
    (project / ".git/hooks/post-checkout").write_text("#!/bin/sh\n")
    (project / ".git/.git-credentials").write_text("https://me:hunter2@host\n")
    git(project, "remote", "add", "origin", "https://me:hunter2@host/x.git")
    git(project, "config", "http.https://host.extraHeader", "Authorization: hunter2")
    (project / ".tracekeeper/runs").mkdir(parents=True)
    (project / ".tracekeeper/.gitignore").write_text("*\n")
    (project / "d/kept-runs").mkdir()
    (project / "d/kept-runs/log").touch()
    left_out = (".tracekeeper", "d/kept-runs")
    snapshot = Snapshot.take(project, tmp_path / "copy", left_out=left_out)
    assert not {path for path in Project(project, left_out).paths() if "runs" in path}
    everything = b"".join(
        path.read_bytes() for path in (tmp_path / "copy").rglob("*") if path.is_file()
    )
    assert b"hunter2" not in everything
    assert not (tmp_path / "copy/.git/hooks").exists()
    assert not {path for path in snapshot.paths if "runs" in path}


def test_what_a_job_does_stays_in_its_copy(project: Path, git: Git, tmp_path: Path) -> None:
    snapshot = Snapshot.take(project, tmp_path / "snapshot")
    before, objects = contents(tmp_path / "snapshot"), contents(project)
    snapshot.materialize(tmp_path / "copy")
    (tmp_path / "copy/file").write_text("by the job\n")
    git(tmp_path / "copy", "commit", "-qam", "By the job")
    git(tmp_path / "copy", "gc", "-q", "--prune=now")
    assert contents(tmp_path / "snapshot") == before
    assert contents(project) == objects
    (project / "file").write_text("edited after the start\n")
    snapshot.materialize(tmp_path / "later")
    assert (tmp_path / "later/file").read_text() == "two\n"


def test_outside_of_git_everything_is_taken(tmp_path: Path) -> None:
    project = tmp_path / "plain"
    (project / "d").mkdir(parents=True)
    (project / "d/file").write_text("x")
    (project / ".gitignore").write_text("*")
    (project / ".tracekeeper").mkdir()
    (project / ".tracekeeper/x").touch()
    os.mkfifo(project / "pipe")
    snapshot = Snapshot.take(project, tmp_path / "snapshot")
    assert snapshot.paths == {"d/file", ".gitignore"}
    assert snapshot.notes == (f"{project} is not a git checkout: jobs get all its files",)
    snapshot.materialize(tmp_path / "copy")
    assert (tmp_path / "copy/d/file").read_text() == "x"


def test_a_part_of_a_checkout_has_no_history(project: Path, tmp_path: Path) -> None:
    snapshot = Snapshot.take(project / "d", tmp_path / "snapshot")
    assert snapshot.paths == {"e/deep"}
    assert "is a part of the git checkout" in snapshot.notes[0]


def test_a_file_that_cannot_be_read_is_noted(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.open

    def refuse(path: str, flags: int, mode: int = 0o777) -> int:
        if path == f"{project}/file":
            raise PermissionError(13, "Permission denied")
        if path == f"{project}/run":
            raise FileNotFoundError(2, "gone meanwhile")
        return opened(path, flags, mode)

    monkeypatch.setattr("os.open", refuse)
    snapshot = Snapshot.take(project, tmp_path / "snapshot")
    assert snapshot.notes == ("file cannot be read: jobs do not get it",)
    assert snapshot.paths == {".gitignore", "d/e/deep", "link"}


@pytest.mark.root
def test_a_disk_that_fills_up(project: Path, tmp_path: Path) -> None:
    (project / "big").write_bytes(bytes(1 << 20))
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", small], check=True)
    try:
        with pytest.raises(StorageError, match="the disk is full"):
            Snapshot.take(project, small / "snapshot")
        assert os.listdir(small) == []
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_snapshot_goes_where_nothing_is(project: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="File exists"):
        Snapshot.take(project, tmp_path)
    snapshot = Snapshot.take(project, tmp_path / "snapshot")
    with pytest.raises(StorageError, match="cannot write"):
        snapshot.materialize(project)


def test_consuming_across_filesystems(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def elsewhere(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    snapshot = Snapshot.take(project, tmp_path / "snapshot")
    monkeypatch.setattr("os.rename", elsewhere)
    snapshot.materialize(tmp_path / "copy", consume=True)
    assert (tmp_path / "copy/file").read_text() == "two\n"


def test_a_destination_that_cannot_be(project: Path, tmp_path: Path) -> None:
    snapshot = Snapshot.take(project, tmp_path / "snapshot")
    with pytest.raises(StorageError, match="not empty"):
        snapshot.materialize(project, consume=True)
    assert snapshot.directory.exists()


def test_the_tar(project: Path, git: Git, tmp_path: Path) -> None:
    long = "/".join(["long-directory-name"] * 8)
    (project / long).mkdir(parents=True)
    (project / long / "file").write_bytes(random.Random(1).randbytes(700_001))
    name = os.fsdecode(b"not utf-8 \xff")
    (project / name).touch()
    (project / "to-long").symlink_to(long)
    snapshot = Snapshot.take(project, tmp_path / "snapshot")
    pieces = list(snapshot.tar("/builds/p/"))
    assert all(65536 <= len(piece) <= 1 << 20 for piece in pieces[:-1])
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as tar:
        members = {member.name: member for member in tar.getmembers()}
        assert len(members) == len(tar.getmembers())
    assert members["builds/p"].isdir()
    assert members["builds/p/run"].mode == 0o777
    assert members["builds/p/file"].mode == 0o666
    assert members["builds/p/d"].mode == 0o777
    assert members["builds/p/link"].linkname == "d/e/deep"
    assert members["builds/p/file"].mtime == int((project / "file").stat().st_mtime)
    assert members[f"builds/p/{long}/file"].size == 700_001
    assert members["builds/p/to-long"].linkname == long
    assert f"builds/p/{name}" in members
    assert "builds/p/.git/objects/info/alternates" not in members
    assert {(member.uid, member.gid) for member in members.values()} == {(0, 0)}


def test_objects_that_are_repacked_meanwhile(project: Path, git: Git, tmp_path: Path) -> None:
    for number in range(6):
        (project / "big").write_bytes(random.Random(number).randbytes(400_000))
        git(project, "add", "big")
        git(project, "commit", "-qm", f"Big {number}")
    snapshot = Snapshot.take(project, tmp_path / "snapshot")
    pieces = snapshot.tar("p")
    first = [next(pieces) for _ in range(4)]
    git(project, "repack", "-adq")
    with tarfile.open(fileobj=io.BytesIO(b"".join([*first, *pieces]))) as tar:
        tar.extractall(tmp_path / "out", filter="data")
    git(tmp_path / "out/p", "fsck", "--full")
    assert git(tmp_path / "out/p", "status", "--porcelain") == ""


def test_a_file_that_is_large_for_tar(tmp_path: Path) -> None:
    with open(tmp_path / "large", "wb") as file:
        file.truncate(8**11 + 1)
    pieces = tar_stream(tmp_path, [Entry("large", stat.S_IFREG, mtime_ns=-1)], [], "p")
    with tarfile.open(fileobj=io.BytesIO(next(pieces)), mode="r|") as tar:
        members = [tar.next(), tar.next()]
    assert members[1]
    assert (members[1].size, members[1].mtime) == (8**11 + 1, 0)


def test_an_object_that_is_gone_is_passed_over(tmp_path: Path) -> None:
    gone = Entry("gone", stat.S_IFREG)
    with tarfile.open(fileobj=io.BytesIO(b"".join(tar_stream(tmp_path, [gone], [], "p")))) as tar:
        assert tar.getnames() == ["p"]


def test_a_file_that_shrinks_while_it_is_read(project: Path, tmp_path: Path) -> None:
    (project / "big").write_bytes(bytes(2 << 20))
    snapshot = Snapshot.take(project, tmp_path / "snapshot")
    pieces = snapshot.tar("p")
    next(pieces)
    os.truncate(tmp_path / "snapshot/big", 0)
    with pytest.raises(WorkspaceError, match="became shorter"):
        list(pieces)


def test_a_snapshot_that_another_process_took(project: Path, git: Git, tmp_path: Path) -> None:
    (project / "directory").mkdir(exist_ok=True)
    (project / "directory/file").write_text("content")
    (project / "directory/run").write_text("#!/bin/sh\n")
    (project / "directory/run").chmod(0o755)
    (project / "another link").symlink_to("directory")
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "state")
    taken = Snapshot.take(project, tmp_path / "snapshot")
    reopened = Snapshot.reopen(tmp_path / "snapshot", taken.git_directories)
    assert reopened.paths == taken.paths
    assert sorted(reopened.entries, key=str) == sorted(taken.entries, key=str)
    reopened.materialize(tmp_path / "copy")
    assert answers(git, tmp_path / "copy") == answers(git, project)
    with pytest.raises(StorageError, match="is gone"):
        Snapshot.reopen(tmp_path / "none", ())
