"""A snapshot as a stream of tar, for upload into a container."""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from tracekeeper.errors import WorkspaceError
from tracekeeper.workspace.checkout import Entry, Snapshot
from tracekeeper.workspace.disk import CHUNK
from tracekeeper.workspace.gitdir import ALTERNATES, object_files

if TYPE_CHECKING:
    from tarfile import TarInfo

_BLOCK = 512


def snapshot_tar(snapshot: Snapshot, prefix: str) -> Iterator[bytes]:
    """`snapshot` as tar, all below the directory `prefix`, in pieces of at least 64 KiB.

    Directories are 0777, files 0666 or, if executable, 0777, so that a job's user need not be
    root; everything belongs to root. The objects that a copy on this machine only points to are
    included. One piece at a time is held in memory.
    """
    return _pieces(_blocks(_members(snapshot), prefix.strip("/")))


def _members(snapshot: Snapshot) -> Iterator[tuple[Entry, Path]]:
    """Every entry with the file that holds its content."""
    alternates = {f"{git.path}/{ALTERNATES}" for git in snapshot.git_directories}
    yield Entry("", stat.S_IFDIR), snapshot.directory
    for entry in snapshot.entries:
        if entry.path not in alternates:
            yield entry, snapshot.directory / entry.path
    for git in snapshot.git_directories:
        yield from _objects(f"{git.path}/objects", git.objects)


def _objects(path: str, objects: Path) -> Iterator[tuple[Entry, Path]]:
    directories = {f"{path}/info"}
    for source, name in object_files(objects):
        directory = f"{path}/{name}".rpartition("/")[0]
        if directory not in directories:
            directories.add(directory)
            yield Entry(directory, stat.S_IFDIR), source.parent
        yield Entry(f"{path}/{name}", stat.S_IFREG), source


def _blocks(members: Iterable[tuple[Entry, Path]], prefix: str) -> Iterator[bytes]:
    from tarfile import GNU_FORMAT

    for entry, source in members:
        member = _header(entry, f"{prefix}/{entry.path}".rstrip("/"))
        if not stat.S_ISREG(entry.mode):
            yield member.tobuf(GNU_FORMAT, "utf-8", "surrogateescape")
            continue
        try:
            file = open(source, "rb")  # noqa: SIM115 - closed below, once the header is out
        except FileNotFoundError:
            # A repository may be repacked at any time; what went away is in the new pack.
            continue
        with file:
            member.size = os.fstat(file.fileno()).st_size
            yield member.tobuf(GNU_FORMAT, "utf-8", "surrogateescape")
            yield from _content(file, member.size)
    yield bytes(2 * _BLOCK)


def _header(entry: Entry, name: str) -> "TarInfo":
    from tarfile import DIRTYPE, REGTYPE, SYMTYPE, TarInfo

    member = TarInfo(name)
    member.mtime = entry.mtime_ns // 1_000_000_000
    if stat.S_ISDIR(entry.mode):
        member.type, member.mode = DIRTYPE, 0o777
    elif stat.S_ISLNK(entry.mode):
        member.type, member.mode, member.linkname = SYMTYPE, 0o777, entry.target
    else:
        member.type, member.mode = REGTYPE, 0o777 if entry.mode & 0o111 else 0o666
    return member


def _content(file: BinaryIO, size: int) -> Iterator[bytes]:
    left = size
    while left:
        data = file.read(min(CHUNK, left))
        if not data:
            raise WorkspaceError(f"{file.name} became shorter while it was read; run again")
        left -= len(data)
        yield data
    yield bytes(-size % _BLOCK)


def _pieces(blocks: Iterable[bytes]) -> Iterator[bytes]:
    piece = bytearray()
    for block in blocks:
        piece += block
        if len(piece) >= CHUNK:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)
