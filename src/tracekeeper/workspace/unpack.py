"""Unpacking a zip over a project without trusting what is in it.

Names are checked before anything is written. Every file is made anew, in a directory that is
inside of the destination whatever symlinks lead there; symlinks are made last, so that nothing is
written through one that came with the archive.
"""

import os
import stat
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tracekeeper.errors import WorkspaceError
from tracekeeper.workspace.disk import CHUNK, remove, storing, write_all

if TYPE_CHECKING:
    from zipfile import ZipFile, ZipInfo

MOST_BYTES = 64 * 1024**3
"""How much an archive may unpack to, by default: 64 GiB."""

_TIMES = 0x5455
_LONGEST_TARGET = 4096


def extract(archive: Path, destination: Path, *, most_bytes: int = MOST_BYTES) -> int:
    """Unpack the zip `archive` over the directory `destination`; return how many entries it has.

    Files that are there are replaced, also read-only ones; other files stay. Permission bits are
    set as recorded, without set-user-id and the like. Raises `WorkspaceError` for an archive that
    is damaged, leaves `destination` or unpacks to more than `most_bytes`; `StorageError` if a
    file cannot be written: that file is then gone, earlier ones stay.
    """
    with _readable(archive) as opened:
        members = opened.infolist()
        for member in members:
            _check_name(member.filename, archive)
        if sum(member.file_size for member in members) > most_bytes:
            raise _too_large(archive, most_bytes)
        _Extraction(opened, archive, destination, most_bytes).run(members)
        return len(members)


class _Extraction:
    __slots__ = ("_archive", "_left", "_limit", "_made", "_path", "_root")

    def __init__(self, archive: "ZipFile", path: Path, destination: Path, limit: int) -> None:
        self._archive = archive
        self._path = path
        self._root = os.path.realpath(destination)
        self._limit = self._left = limit
        self._made = set[str]()

    def run(self, members: "list[ZipInfo]") -> None:
        directories, links = [], []
        for member in members:
            if member.is_dir():
                directories.append(member)
                self._make_directory(member.filename.rstrip("/"))
            elif stat.S_ISLNK(member.external_attr >> 16):
                links.append(member)
            else:
                self._file(member)
        for member in links:
            self._link(member)
        # A directory may be read-only, so its mode comes after its content.
        for member in sorted(directories, key=lambda member: member.filename, reverse=True):
            self._finish_directory(member)

    def _make_directory(self, path: str) -> str:
        """Make the directory and return where it really is, which is inside the destination."""
        target = os.path.join(self._root, path)
        if path in self._made:
            return target
        if path:
            self._make_directory(os.path.dirname(path))
            with storing(target):
                try:
                    os.mkdir(target)
                except FileExistsError:
                    if not os.path.isdir(target):
                        raise WorkspaceError(
                            f"{self._path.name} has the directory {path}, which is a file here"
                        ) from None
        if not f"{os.path.realpath(target)}/".startswith(f"{self._root.rstrip('/')}/"):
            raise WorkspaceError(
                f"{self._path.name} would write through {path}, which leads out of the project"
            )
        self._made.add(path)
        return target

    def _file(self, member: "ZipInfo") -> None:
        target = self._free(member.filename)
        with storing(target):
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                with self._archive.open(member) as source:
                    self._write(source, descriptor)
                os.fchmod(descriptor, _mode(member, 0o644))
                os.utime(descriptor, (_time(member), _time(member)))
            except BaseException:
                remove(target)
                raise
            finally:
                os.close(descriptor)

    def _write(self, source: IO[bytes], descriptor: int) -> None:
        while chunk := source.read(CHUNK):
            self._left -= len(chunk)
            if self._left < 0:
                raise _too_large(self._path, self._limit)
            write_all(descriptor, chunk)

    def _link(self, member: "ZipInfo") -> None:
        if member.file_size > _LONGEST_TARGET:
            raise WorkspaceError(f"{self._path.name} is damaged: {member.filename} is no symlink")
        link_target = self._archive.read(member)
        target = self._free(member.filename)
        with storing(target):
            os.symlink(link_target, os.fsencode(target))

    def _free(self, path: str) -> str:
        """Where to make the new file `path`; what is there is removed, never written into."""
        name = os.path.basename(path)
        target = os.path.join(self._make_directory(os.path.dirname(path)), name)
        with storing(target):
            try:
                remove(target)
            except (IsADirectoryError, PermissionError):
                if not os.path.isdir(target):
                    raise
                raise WorkspaceError(
                    f"{self._path.name} has the file {path}, which is a directory here"
                ) from None
        return target

    def _finish_directory(self, member: "ZipInfo") -> None:
        target = os.path.join(self._root, member.filename.rstrip("/"))
        if os.path.islink(target):
            return
        with storing(target):
            os.chmod(target, _mode(member, 0o755))
            os.utime(target, (_time(member), _time(member)))


@contextmanager
def _readable(archive: Path) -> "Iterator[ZipFile]":
    import zlib
    from zipfile import BadZipFile, ZipFile

    try:
        # A name without the mark for UTF-8 comes from a zip program of Unix: its bytes are meant.
        with ZipFile(archive, metadata_encoding="utf-8") as opened:
            yield opened
    except (BadZipFile, zlib.error, EOFError, struct.error, UnicodeDecodeError) as error:
        raise WorkspaceError(f"the archive {archive.name} is damaged: {error}") from error
    except (NotImplementedError, RuntimeError) as error:
        raise WorkspaceError(f"the archive {archive.name} cannot be read: {error}") from error
    except FileNotFoundError as error:
        raise WorkspaceError(f"the archive {archive.name} does not exist") from error


def _check_name(name: str, archive: Path) -> None:
    parts = name.removesuffix("/").split("/")
    if name.startswith("/") or not {"", ".", ".."}.isdisjoint(parts):
        raise WorkspaceError(
            f"the archive {archive.name} has an entry {name!r} that does not stay in the project; "
            "nothing was unpacked"
        )


def _too_large(archive: Path, limit: int) -> WorkspaceError:
    return WorkspaceError(f"the archive {archive.name} unpacks to more than {limit} bytes")


def _mode(member: "ZipInfo", default: int) -> int:
    return (member.external_attr >> 16) & 0o777 or default


def _time(member: "ZipInfo") -> float:
    """The modification time: in UTC if Info-ZIP's extra field has it, else in local time."""
    extra = member.extra
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        if kind == _TIMES and size >= 5 and extra[4] & 1:
            (seconds,) = struct.unpack("<i", extra[5:9])
            return float(seconds)
        extra = extra[4 + size :]
    return time.mktime((*member.date_time, 0, 0, -1))
