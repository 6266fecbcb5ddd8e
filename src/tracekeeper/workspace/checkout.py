"""The project as it is when a run starts, and a copy of it for every job."""

import errno
import os
import stat
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from tracekeeper.errors import StorageError
from tracekeeper.workspace.disk import is_below, storing, walk, write_all
from tracekeeper.workspace.entry import Entry, GitDirectory, copy_entry
from tracekeeper.workspace.gitdir import (
    ALTERNATES,
    DIRECTORIES,
    alternates,
    job_config,
    state_files,
)
from tracekeeper.workspace.project import OWN_DIRECTORY, listed_files
from tracekeeper.workspace.repository import Repository, find_repository, finish_git, start_git
from tracekeeper.workspace.tar import tar_stream
from tracekeeper.workspace.trees import remove_tree


class Snapshot:
    """All that jobs see of a project, frozen: it lies in `directory`, which this object owns.

    Tracked files as they are in the working tree, untracked ones that are not ignored, checked
    out submodules, symlinks as symlinks, and for each repository a ``.git`` of its own in which
    git says what it says in the user's. `notes` are sentences for the run's log.

    The user's repository is only read: its objects are used in place (git may renew the time of
    one that a job needs), and it has to stay where it is while jobs run. In `entries` a directory
    comes before what it holds. `materialize` may be called from several threads at once.
    """

    __slots__ = ("directory", "entries", "git_directories", "notes")

    def __init__(
        self,
        directory: Path,
        entries: Collection[Entry],
        git_directories: Collection[GitDirectory],
        notes: Collection[str],
    ) -> None:
        self.directory = directory
        self.git_directories = tuple(git_directories)
        self.notes = tuple(notes)
        self.entries = tuple(entries)

    @classmethod
    def take(
        cls, project: Path, into: Path, *, left_out: Collection[str] = (OWN_DIRECTORY,)
    ) -> "Snapshot":
        """Copy `project` to the new directory `into`, without its paths `left_out`.

        Raises `WorkspaceError` if git refuses, `StorageError` if the copy cannot be written;
        nothing is then left of it.
        """
        taking = _Taking(into, left_out)
        try:
            taking.project(project.resolve())
        except BaseException:
            remove_tree(into)
            raise
        return cls(into, taking.entries.values(), taking.git_directories, taking.notes)

    @classmethod
    def reopen(cls, directory: Path, git_directories: Collection[GitDirectory]) -> "Snapshot":
        """The snapshot that another process took, as it lies in `directory`.

        Raises `StorageError` where it is not there any more.
        """
        if not directory.is_dir():
            raise StorageError(f"the copy of the project that jobs get is gone: {directory}")
        return cls(directory, list(_entries(directory)), git_directories, ())

    @property
    def paths(self) -> frozenset[str]:
        """The project's files and symlinks at the start, without those of any ``.git``."""
        hidden = tuple(f"{git.path}/" for git in self.git_directories)
        return frozenset(
            entry.path
            for entry in self.entries
            if not stat.S_ISDIR(entry.mode) and not entry.path.startswith(hidden)
        )

    def materialize(self, destination: Path, *, consume: bool = False) -> None:
        """Make the new or empty directory `destination` a copy of the project for one job.

        With `consume` the snapshot itself becomes the copy, at no cost, and cannot be used again:
        for the only job of a run. Raises `StorageError`; what was copied until then is the
        caller's to remove.
        """
        with storing(str(destination)):
            destination.parent.mkdir(parents=True, exist_ok=True)
            if consume and _renamed(self.directory, destination):
                return
            destination.mkdir(exist_ok=True)
        for entry in self.entries:
            copy_entry(entry, f"{self.directory}/{entry.path}", f"{destination}/{entry.path}")

    def tar(self, prefix: str) -> Iterator[bytes]:
        """The project as tar, all below the directory `prefix`, in pieces of at least 64 KiB.

        Directories are 0777, files 0666 or, if executable, 0777, so that a job's user need not be
        root; everything belongs to root. The objects that a copy on this machine only points to
        are included. One piece at a time is held in memory.
        """
        return tar_stream(self.directory, self.entries, self.git_directories, prefix)


class _Taking:
    """A snapshot while it is taken."""

    __slots__ = ("_directories", "_into", "_left_out", "entries", "git_directories", "notes")

    def __init__(self, into: Path, left_out: Collection[str]) -> None:
        self.entries: dict[str, Entry] = {}
        self.git_directories: list[GitDirectory] = []
        self.notes: list[str] = []
        self._into = into
        self._left_out = left_out
        self._directories: dict[str, bool] = {"": True}
        with storing(str(into)):
            into.mkdir(parents=True)

    def project(self, root: Path) -> None:
        repository = find_repository(root)
        if repository and repository.toplevel == root:
            self._checkout(repository, "")
            return
        if repository:
            self.notes.append(
                f"{root} is a part of the git checkout {repository.toplevel}: "
                "jobs get its files, but no git history"
            )
            self._files(root, "", listed_files(root))
            return
        self.notes.append(f"{root} is not a git checkout: jobs get all its files")
        self._files(root, "", walk(root, self._left_out))

    def _checkout(self, repository: Repository, prefix: str) -> None:
        config = start_git(repository.toplevel, "config", "-z", "--list", "--show-scope")
        files = listed_files(repository.toplevel)
        settings = os.fsdecode(finish_git(config).output)
        self._git_directory(repository, f"{prefix}.git", settings)
        self._files(repository.toplevel, prefix, files)

    def _git_directory(self, repository: Repository, path: str, settings: str) -> None:
        objects = repository.common_dir / "objects"
        self.git_directories.append(GitDirectory(path, objects))
        for name in DIRECTORIES:
            self._make_directory(f"{path}/{name}")
        for source, name in state_files(repository):
            self._make_directory(f"{path}/{name}".rpartition("/")[0])
            self._take(str(source), f"{path}/{name}")
        self._write(f"{path}/config", os.fsencode(job_config(settings)))
        self._write(f"{path}/{ALTERNATES}", alternates(objects))

    def _files(self, root: Path, prefix: str, paths: Iterable[str]) -> None:
        for path in paths:
            path = path.rstrip("/")
            if is_below(prefix + path, self._left_out):
                continue
            if self._has_directory(root, prefix, path.rpartition("/")[0]):
                self._take(f"{root}/{path}", prefix + path)

    def _has_directory(self, root: Path, prefix: str, path: str) -> bool:
        """Make the directory; False where the working tree has something else in its place."""
        known = self._directories.get(prefix + path)
        if known is not None or not path:
            return known is not False
        found = self._has_directory(root, prefix, path.rpartition("/")[0]) and _is_directory(
            f"{root}/{path}"
        )
        self._directories[prefix + path] = found
        if found:
            self._make_directory(prefix + path)
        return found

    def _make_directory(self, path: str) -> None:
        if path in self.entries or not path:
            return
        self._make_directory(path.rpartition("/")[0])
        entry = Entry(path, stat.S_IFDIR | 0o755)
        copy_entry(entry, "", f"{self._into}/{path}")
        self.entries[path] = entry

    def _take(self, source: str, path: str) -> None:
        """Take one path over; a file that is gone is deleted in the working tree as well."""
        try:
            status = os.lstat(source)
            if stat.S_ISDIR(status.st_mode):
                self._nested(Path(source), path)
                return
            self._copy(source, path, status)
        except FileNotFoundError:
            return
        except PermissionError:
            self.notes.append(f"{path} cannot be read: jobs do not get it")

    def _copy(self, source: str, path: str, status: os.stat_result) -> None:
        """Copy a file or symlink; devices, sockets and pipes are no part of a project."""
        if not stat.S_ISREG(status.st_mode) and not stat.S_ISLNK(status.st_mode):
            return
        target = os.readlink(source) if stat.S_ISLNK(status.st_mode) else ""
        entry = Entry(path, status.st_mode, status.st_mtime_ns, target)
        if self.entries.pop(path, None):
            os.unlink(f"{self._into}/{path}")
        copy_entry(entry, source, f"{self._into}/{path}")
        self.entries[path] = entry

    def _nested(self, directory: Path, path: str) -> None:
        """Take over a submodule, or another repository inside of this one."""
        self._make_directory(path)
        repository = find_repository(directory)
        if repository and repository.toplevel == directory:
            self._checkout(repository, f"{path}/")

    def _write(self, path: str, content: bytes) -> None:
        target = f"{self._into}/{path}"
        with storing(target):
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            try:
                write_all(descriptor, content)
            finally:
                os.close(descriptor)
        self.entries[path] = Entry(path, stat.S_IFREG | 0o644, os.lstat(target).st_mtime_ns)


def _entries(top: Path) -> Iterator[Entry]:
    """What lies in a snapshot, a directory before what it holds."""
    for place, directories, files in os.walk(top):
        for name in (*directories, *files):
            path = f"{place}/{name}"
            status = os.lstat(path)
            relative = os.path.relpath(path, top)
            if stat.S_ISDIR(status.st_mode):
                yield Entry(relative, stat.S_IFDIR | 0o755)
                continue
            target = os.readlink(path) if stat.S_ISLNK(status.st_mode) else ""
            yield Entry(relative, status.st_mode, status.st_mtime_ns, target)


def _is_directory(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def _renamed(source: Path, destination: Path) -> bool:
    """Rename a directory; False if the destination is on another filesystem."""
    try:
        os.rename(source, destination)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        return False
    return True
