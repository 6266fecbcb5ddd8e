"""What a snapshot is made of."""

import os
import stat
from pathlib import Path

import msgspec

from tracekeeper.workspace.disk import copy_file, storing


class Entry(msgspec.Struct, frozen=True):
    """A directory, file or symlink of a snapshot; `target` is a symlink's."""

    path: str
    mode: int
    mtime_ns: int = 0
    target: str = ""


class GitDirectory(msgspec.Struct, frozen=True):
    """A ``.git`` in a snapshot, and where its objects are."""

    path: str
    objects: Path


def copy_entry(entry: Entry, source: str, target: str) -> None:
    """Make the new path `target` what `entry` says; a file's content is that of `source`."""
    if stat.S_ISREG(entry.mode):
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            copy_file(descriptor, target, entry.mode & 0o777, entry.mtime_ns)
        finally:
            os.close(descriptor)
        return
    with storing(target):
        if stat.S_ISDIR(entry.mode):
            os.mkdir(target)
        else:
            os.symlink(entry.target, target)
            os.utime(target, ns=(entry.mtime_ns, entry.mtime_ns), follow_symlinks=False)
