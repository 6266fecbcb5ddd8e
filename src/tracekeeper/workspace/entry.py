"""What a snapshot is made of."""

from pathlib import Path

import msgspec


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
