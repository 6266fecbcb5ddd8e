"""A job's copy of a snapshot, brought back to its first state for the next job.

To make a copy, every file has to be created; most jobs change few. What changed shows in a file's
change time (ctime): each write, rename, link and chmod sets it, and no program can set it back.
So the files that still have their inode and change time need no new copy.
"""

import os
import stat
import time
from pathlib import Path
from typing import TypeAlias

from tracekeeper.workspace.checkout import Snapshot
from tracekeeper.workspace.entry import Entry, copy_entry
from tracekeeper.workspace.trees import remove_tree

Stamp: TypeAlias = tuple[int, int, int]
"""Inode, change time in nanoseconds, and mode of a path as it was made."""

_SECOND = 1_000_000_000


class SnapshotCopy:
    """The copy of `snapshot` at `directory`, for one job after the other."""

    __slots__ = ("_directory", "_root_mode", "_snapshot", "_stamps")

    def __init__(self, snapshot: Snapshot, directory: Path) -> None:
        self._snapshot = snapshot
        self._directory = directory
        self._stamps: dict[str, Stamp] = {}
        self._root_mode = 0

    def refresh(self) -> None:
        """Make the directory a copy, whatever is there now. Raises `StorageError`."""
        try:
            self._refresh()
        except OSError:  # a job has closed a directory, or the like
            remove_tree(self._directory)
            self._stamps = {}
            self._refresh()
        self._let_the_clock_tick()

    def _refresh(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        if self._root_mode:
            os.chmod(self._directory, self._root_mode)
        self._root_mode = stat.S_IMODE(os.lstat(self._directory).st_mode)
        kinds = {entry.path: stat.S_IFMT(entry.mode) for entry in self._snapshot.entries}
        self._remove_strangers("", kinds)
        self._stamps = {entry.path: self._made(entry) for entry in self._snapshot.entries}

    def _remove_strangers(self, prefix: str, kinds: dict[str, int]) -> None:
        """Remove below `prefix` what the snapshot does not have, or has as something else."""
        with os.scandir(self._directory / prefix) as found:
            for item in list(found):
                path = prefix + item.name
                kind = stat.S_IFMT(item.stat(follow_symlinks=False).st_mode)
                if kinds.get(path) != kind:
                    _remove(item)
                elif kind == stat.S_IFDIR:
                    self._remove_strangers(f"{path}/", kinds)

    def _made(self, entry: Entry) -> Stamp:
        """Make `entry` anew unless it is as it was; its stamp."""
        target = f"{self._directory}/{entry.path}"
        before = self._stamps.get(entry.path)
        if stat.S_ISDIR(entry.mode):
            return self._made_directory(entry, target, before)
        found = _stamp(target)
        if found is not None and found == before:
            return found
        if found is not None:
            os.unlink(target)
        copy_entry(entry, f"{self._snapshot.directory}/{entry.path}", target)
        return _stamp(target) or (0, 0, 0)

    def _made_directory(self, entry: Entry, target: str, before: Stamp | None) -> Stamp:
        found = _stamp(target)
        if found is None:
            copy_entry(entry, "", target)
            return _stamp(target) or (0, 0, 0)
        if before is not None and found[2] != before[2]:
            os.chmod(target, stat.S_IMODE(before[2]))
        return before or found

    def _let_the_clock_tick(self) -> None:
        """Wait until what a job changes from now on gets a later change time than our files have:
        the kernel's clock for that goes in steps of some milliseconds."""
        latest = max((stamp[1] for stamp in self._stamps.values()), default=0)
        if all(stamp[1] % _SECOND == 0 for stamp in self._stamps.values()):
            self._stamps = {}  # a file system of whole seconds: its times tell nothing
            return
        coarse = getattr(time, "CLOCK_REALTIME_COARSE", time.CLOCK_REALTIME)
        while latest <= time.time_ns() and time.clock_gettime_ns(coarse) <= latest:
            time.sleep(0.0005)


def _stamp(path: str) -> Stamp | None:
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_ctime_ns, status.st_mode


def _remove(item: os.DirEntry[str]) -> None:
    if item.is_dir(follow_symlinks=False):
        remove_tree(Path(item.path))
    else:
        os.unlink(item.path)
