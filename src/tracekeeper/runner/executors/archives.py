"""Directories as streams of tar, into a container and out of it.

Tar is what the engine's archive calls speak. Nothing is held in memory whole, and what reads or
writes a disk here runs in a thread.
"""

import asyncio
import os
import stat
import tarfile
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import CancelledError, Future
from pathlib import Path, PurePosixPath
from typing import IO, cast

from tracekeeper.errors import WorkspaceError
from tracekeeper.workspace.disk import CHUNK, storing

_BLOCK = 512


def directory_tar(root: Path, prefix: str) -> Iterator[bytes]:
    """Everything below `root` as tar below `prefix`. Any user may write what is unpacked."""
    for path in sorted(root.rglob("*")):
        name = f"{prefix.strip('/')}/{path.relative_to(root)}"
        status = path.lstat()
        info = tarfile.TarInfo(name)
        info.mtime = int(status.st_mtime)
        if stat.S_ISLNK(status.st_mode):
            info.type, info.linkname = tarfile.SYMTYPE, os.readlink(path)
        elif stat.S_ISDIR(status.st_mode):
            info.type, info.mode = tarfile.DIRTYPE, 0o777
        else:
            info.mode, info.size = status.st_mode & 0o777 | 0o666, status.st_size
        yield info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
        if info.isreg():
            yield from _content(path, info.size)
    yield bytes(2 * _BLOCK)


def _content(path: Path, size: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        while data := file.read(CHUNK):
            yield data
    yield bytes(-size % _BLOCK)


async def advanced_in_thread(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """An iterator that blocks, without blocking the event loop."""
    while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
        yield chunk


async def extract_tar(chunks: AsyncIterator[bytes], destination: Path) -> None:
    """Unpack a tar stream at `destination`, without the first part of each name.

    Files, directories, hard links and symlinks are made, other things left out. Symlinks are made
    last, so that nothing is written through one. Raises StorageError, and WorkspaceError for a
    stream that is damaged or leads out of `destination`.
    """
    source = _Blocking(chunks, asyncio.get_running_loop())
    extracting = asyncio.ensure_future(asyncio.to_thread(_extract, source, destination))
    try:
        await asyncio.shield(extracting)
    except asyncio.CancelledError:
        source.stop()
        await asyncio.gather(extracting, return_exceptions=True)
        raise


class _Blocking:
    """The reading end of an asynchronous stream, for a thread."""

    def __init__(self, chunks: AsyncIterator[bytes], loop: asyncio.AbstractEventLoop) -> None:
        self._chunks = chunks
        self._loop = loop
        self._rest = b""
        self._reading: Future[bytes] | None = None
        self._stopped = False

    def stop(self) -> None:
        """End what reads here, and leave the stream alone from now on."""
        self._stopped = True
        if self._reading is not None:
            self._reading.cancel()

    def read(self, size: int) -> bytes:
        while len(self._rest) < size:
            if not (chunk := self._chunk()):
                break
            self._rest += chunk
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def _chunk(self) -> bytes:
        self._reading = reading = asyncio.run_coroutine_threadsafe(self._next(), self._loop)
        if self._stopped:  # it may have looked for the reading before there was one
            reading.cancel()
        try:
            return reading.result()
        except CancelledError:
            if not self._stopped:
                raise
            return b""

    async def _next(self) -> bytes:
        return b"" if self._stopped else await anext(self._chunks, b"")


def _extract(source: _Blocking, destination: Path) -> None:
    links: dict[Path, str] = {}
    try:
        stream = cast("IO[bytes]", source)
        with tarfile.open(fileobj=stream, mode="r|", bufsize=CHUNK) as archive:
            for member in archive:
                target = destination / _inside(member.name)
                with storing(member.name):
                    target.parent.mkdir(parents=True, exist_ok=True)
                    _make(archive, member, target, destination, links)
    except tarfile.TarError as error:
        raise WorkspaceError(f"the engine's archive is damaged: {error}") from error
    for target, content in links.items():
        with storing(str(target)):
            target.symlink_to(content)


def _make(
    archive: tarfile.TarFile,
    member: tarfile.TarInfo,
    target: Path,
    destination: Path,
    links: dict[Path, str],
) -> None:
    if member.isdir():
        target.mkdir(exist_ok=True)
    elif member.issym():
        links[target] = member.linkname
    elif member.islnk():
        _link(destination / _inside(member.linkname), target, links)
    elif member.isreg():
        _copy(archive, member, target)


def _link(first: Path, second: Path, links: dict[Path, str]) -> None:
    """Give a file a second name; a symlink, which is not made yet, is made twice."""
    if first in links:
        links[second] = links[first]
    else:
        os.link(first, second)


def _copy(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    content = archive.extractfile(member)
    assert content is not None, "a regular file has content"
    with target.open("xb") as file:
        while data := content.read(CHUNK):
            file.write(data)
    target.chmod(member.mode & 0o777 | 0o600)
    os.utime(target, (member.mtime, member.mtime))


def _inside(name: str) -> PurePosixPath:
    """`name` without its first part. Raises WorkspaceError if it leads upwards."""
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts:
        raise WorkspaceError(f"the engine's archive has an entry that leads out of it: {name!r}")
    return PurePosixPath(*parts[1:])


async def once(data: bytes) -> AsyncIterator[bytes]:
    """`data` as a stream."""
    yield data


async def after(before: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The stream of `before`, and then `chunks`."""
    if before:
        yield before
    async for chunk in chunks:
        yield chunk
