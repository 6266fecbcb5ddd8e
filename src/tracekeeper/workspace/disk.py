"""Files on disk: copied fast, written whole or not at all, with plain errors."""

import errno
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tracekeeper.errors import StorageError

CHUNK = 256 * 1024
"""Bytes read at once."""

_FULL = (errno.ENOSPC, errno.EDQUOT)
_NO_COPY_RANGE = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF)


@contextmanager
def storing(what: str) -> Iterator[None]:
    """Turn an `OSError` into a `StorageError` that says `what` could not be written."""
    try:
        yield
    except OSError as error:
        raise storage_error(what, error) from error


def storage_error(what: str, error: OSError) -> StorageError:
    """The sentence for a file that cannot be written."""
    if error.errno in _FULL:
        return StorageError(
            f"cannot write {what}: the disk is full", hint="free some space, then run again"
        )
    return StorageError(f"cannot write {what}: {error.strerror or error}")


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A file that appears at `path` when the block ends well, replacing what was there at once.

    It is written beside `path`; nothing is left behind when the block fails. Raises `StorageError`.
    """
    partial = f"{path}.{os.getpid()}-{os.urandom(4).hex()}.partial"
    with storing(path.name):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with storing(path.name):
            with open(partial, "xb") as file:
                yield file
            os.replace(partial, path)
    except BaseException:
        remove(partial)
        raise


def remove(path: str) -> None:
    """Remove a file that may be gone already."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def copy_file(source: int, target: str, mode: int, mtime_ns: int) -> None:
    """Copy the open file `source` to the new file `target`; nothing is left there on failure.

    Shares blocks with the source where the filesystem can (reflink). Raises `StorageError`.
    """
    with storing(target):
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            _copy_content(source, descriptor)
            os.utime(descriptor, ns=(mtime_ns, mtime_ns))
        except BaseException:
            remove(target)
            raise
        finally:
            os.close(descriptor)


def _copy_content(source: int, target: int) -> None:
    # One read and one write are the fastest way for what most files of a checkout are: small.
    first = os.read(source, CHUNK)
    if len(first) == CHUNK and _copy_range(source, target):
        return
    while first:
        write_all(target, first)
        first = os.read(source, CHUNK)


def _copy_range(source: int, target: int) -> bool:
    """Let the kernel copy the file from its start; False where it cannot."""
    if not hasattr(os, "copy_file_range"):
        return False
    offset = 0
    try:
        while copied := os.copy_file_range(source, target, 1 << 30, offset, offset):
            offset += copied
    except OSError as error:
        if offset or error.errno not in _NO_COPY_RANGE:
            raise
        return False
    return offset > 0


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`, however little the system takes at once."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def is_below(path: str, directories: Collection[str]) -> bool:
    """Whether `path` is one of `directories` or inside of one."""
    return any(path == top or path.startswith(f"{top}/") for top in directories)


def walk(root: str | os.PathLike[str], left_out: Collection[str] = ()) -> Iterator[str]:
    """Every file and symlink below `root`, without the paths `left_out`. Follows no symlink.

    Directories that cannot be read are passed over.
    """
    pending = [""]
    while pending:
        directory = pending.pop()
        try:
            entries = list(os.scandir(os.path.join(root, directory)))
        except OSError:
            continue
        for entry in entries:
            path = f"{directory}{entry.name}"
            if path in left_out:
                continue
            if entry.is_dir(follow_symlinks=False):
                pending.append(f"{path}/")
            else:
                yield path
