"""A snapshot as a stream of tar, for upload into a container."""

import os
import stat
from collections.abc import Collection, Iterable, Iterator
from itertools import chain
from pathlib import Path
from struct import Struct
from typing import IO

from tracekeeper.errors import WorkspaceError
from tracekeeper.workspace.disk import CHUNK
from tracekeeper.workspace.entry import Entry, GitDirectory
from tracekeeper.workspace.gitdir import ALTERNATES, object_files

_BLOCK = 512
_LONGEST_NAME = 100
_HEADER = Struct("100s8s8s8s12s12s8s1s100s8s32s32s183x")
"""Name, mode, user, group, size, time, checksum, kind, link target, magic, user's and group's name
(GNU tar manual, "Basic Tar Format")."""


def tar_stream(
    directory: Path,
    entries: Collection[Entry],
    git_directories: Collection[GitDirectory],
    prefix: str,
) -> Iterator[bytes]:
    """`entries`, whose content is in `directory`, and the objects of `git_directories` as tar.

    `tracekeeper.workspace.checkout.Snapshot.tar` says what is in it.
    """
    alternates = {f"{git.path}/{ALTERNATES}" for git in git_directories}
    own = ((entry, directory / entry.path) for entry in entries if entry.path not in alternates)
    root = (Entry("", stat.S_IFDIR), directory)
    objects = (_objects(f"{git.path}/objects", git.objects) for git in git_directories)
    return _pieces(_blocks(chain([root], own, *objects), prefix.strip("/")))


def _objects(path: str, objects: Path) -> Iterator[tuple[Entry, Path]]:
    directories, seen = {f"{path}/info"}, set[str]()
    # The user may repack meanwhile: what then went away is in a pack that the second look finds.
    for source, name in chain(object_files(objects), object_files(objects)):
        if name in seen:
            continue
        seen.add(name)
        directory = f"{path}/{name}".rpartition("/")[0]
        if directory not in directories:
            directories.add(directory)
            yield Entry(directory, stat.S_IFDIR), source.parent
        yield Entry(f"{path}/{name}", stat.S_IFREG), source


def _blocks(members: Iterable[tuple[Entry, Path]], prefix: str) -> Iterator[bytes]:
    for entry, source in members:
        path = f"{prefix}/{entry.path}".rstrip("/")
        if not stat.S_ISREG(entry.mode):
            yield _header(entry, path)
            continue
        try:
            file = open(source, "rb", buffering=0)  # noqa: SIM115 - closed once it is read
        except FileNotFoundError:
            continue
        with file:
            size = os.fstat(file.fileno()).st_size
            yield _header(entry, path, size)
            yield from _content(file, size)
    yield bytes(2 * _BLOCK)


def _header(entry: Entry, path: str, size: int = 0) -> bytes:
    seconds = max(entry.mtime_ns // 1_000_000_000, 0)
    if stat.S_ISDIR(entry.mode):
        return _named_header(b"5", path + "/", "", 0o777, 0, seconds)
    if stat.S_ISLNK(entry.mode):
        return _named_header(b"2", path, entry.target, 0o777, 0, seconds)
    mode = 0o777 if entry.mode & 0o111 else 0o666
    return _named_header(b"0", path, "", mode, size, seconds)


def _named_header(kind: bytes, path: str, target: str, mode: int, size: int, seconds: int) -> bytes:
    """A member's header in GNU format, after members that hold a long name or a long target.

    Written out here because the standard library takes ten times as long for each file.
    """
    name, link = os.fsencode(path), os.fsencode(target)
    header = _plain_header(kind, name, link, mode, size, seconds)
    if len(link) > _LONGEST_NAME:
        header = _long(b"K", link) + header
    return _long(b"L", name) + header if len(name) > _LONGEST_NAME else header


def _long(kind: bytes, name: bytes) -> bytes:
    content = name + b"\0"
    header = _plain_header(kind, b"././@LongLink", b"", 0, len(content), 0)
    return header + content + bytes(-len(content) % _BLOCK)


def _plain_header(
    kind: bytes, name: bytes, link: bytes, mode: int, size: int, seconds: int
) -> bytes:
    header = _HEADER.pack(
        *(name, b"%07o" % mode, b"0000000", b"0000000", _number(size), _number(seconds)),
        *(b" " * 8, kind, link, b"ustar  ", b"root", b"root"),
    )
    return header[:148] + b"%06o\0 " % sum(header) + header[156:]


def _number(value: int) -> bytes:
    """Eleven octal digits; what does not fit is binary, marked by the highest bit."""
    return b"%011o" % value if value < 8**11 else b"\x80" + value.to_bytes(11, "big")


def _content(file: IO[bytes], size: int) -> Iterator[bytes]:
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
