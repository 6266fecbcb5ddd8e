"""Zip archives of artifacts and caches, and gzip of reports, as gitlab-runner writes them."""

import os
import stat
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tracekeeper.errors import WorkspaceError
from tracekeeper.workspace.disk import CHUNK, written_whole

if TYPE_CHECKING:
    from zipfile import ZipFile, ZipInfo

_UNIX = 3
_DIRECTORY_ATTRIBUTE = 0x10
_TIMES = 0x5455
"""Info-ZIP's extra field of times in UTC: a flag byte and the modification time."""


def create_zip(
    root: str | os.PathLike[str], paths: Iterable[str], archive: Path, *, level: int = 1
) -> int:
    """Write the files, symlinks and directories `paths` below `root` to the zip `archive`.

    `level` is deflate's, 0 to 9; 0 stores. Modes and symlinks are kept as Info-ZIP keeps them.
    Paths that are gone are left out. `archive` appears at once and whole. Returns how many
    entries it has. Raises `WorkspaceError` for a file that cannot be read, `StorageError` if the
    archive cannot be written.
    """
    from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

    method = ZIP_DEFLATED if level else ZIP_STORED
    with (
        written_whole(archive) as target,
        ZipFile(target, "w", method, compresslevel=level, strict_timestamps=False) as opened,
    ):
        for path in sorted(set(paths)):
            _add(opened, os.path.join(root, path), path)
        return len(opened.filelist)


def create_gzip(root: str | os.PathLike[str], paths: Sequence[str], archive: Path) -> None:
    """Write the regular files among `paths`, one after the other, to the gzip file `archive`.

    This is the format of reports: one member for each file, with its name, without a time.
    Raises as `create_zip`.
    """
    import gzip

    files = [path for path in paths if _is_file(os.path.join(root, path))]
    with written_whole(archive) as target:
        for path in files:
            with (
                _open(os.path.join(root, path), path) as source,
                gzip.GzipFile(os.path.basename(path), "wb", fileobj=target, mtime=0) as member,
            ):
                while chunk := source.read(CHUNK):
                    member.write(chunk)


def _is_file(path: str) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except FileNotFoundError:
        return False


def _add(archive: "ZipFile", source: str, path: str) -> None:
    try:
        status = os.lstat(source)
    except FileNotFoundError:
        return
    info = _info(path, status)
    if stat.S_ISDIR(status.st_mode):
        archive.writestr(info, b"")
    elif stat.S_ISLNK(status.st_mode):
        archive.writestr(info, os.fsencode(os.readlink(source)))
    elif stat.S_ISREG(status.st_mode):
        _add_file(archive, info, source)


def _add_file(archive: "ZipFile", info: "ZipInfo", source: str) -> None:
    info.compress_type = archive.compression
    # The public name for this came with Python 3.13, which keeps the old one.
    info._compresslevel = archive.compresslevel  # type: ignore[attr-defined]
    with _open(source, info.filename) as file:
        info.file_size = os.fstat(file.fileno()).st_size
        left = info.file_size
        with archive.open(info, "w") as member:
            while chunk := file.read(min(CHUNK, left)):
                member.write(chunk)
                left -= len(chunk)


def _info(path: str, status: os.stat_result) -> "ZipInfo":
    import time
    from zipfile import ZipInfo

    if not path.isprintable() and any("\udc80" <= character <= "\udcff" for character in path):
        raise WorkspaceError(f"the file name {path!r} is not UTF-8: a zip cannot hold it")
    is_directory = stat.S_ISDIR(status.st_mode)
    info = ZipInfo(f"{path}/" if is_directory else path)
    info.create_system = _UNIX
    info.external_attr = status.st_mode << 16 | (_DIRECTORY_ATTRIBUTE if is_directory else 0)
    year, *rest = time.localtime(status.st_mtime)[:6]
    info.date_time = (min(max(year, 1980), 2107), rest[0], rest[1], rest[2], rest[3], rest[4])
    seconds = int(status.st_mtime)
    if -(2**31) <= seconds < 2**31:
        info.extra = struct.pack("<HHBi", _TIMES, 5, 1, seconds)
    return info


def _open(source: str, path: str) -> IO[bytes]:
    try:
        return os.fdopen(os.open(source, os.O_RDONLY | os.O_NOFOLLOW), "rb", buffering=0)
    except OSError as error:
        raise WorkspaceError(f"cannot read {path}: {error.strerror}") from error
