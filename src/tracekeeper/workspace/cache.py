"""Caches on this machine, one zip for each key, and the keys that follow files' contents."""

import errno
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import msgspec

from tracekeeper.errors import WorkspaceError
from tracekeeper.pipeline.world import ProjectFiles
from tracekeeper.workspace.disk import CHUNK, storing, write_all, written_whole
from tracekeeper.workspace.globs import normalized
from tracekeeper.workspace.patterns import compile_glob, expand_braces

_LONGEST_NAME = 200


class Restored(msgspec.Struct, frozen=True):
    """The cache that was found: under which key, and its zip."""

    key: str
    archive: Path


class CacheStore:
    """Zips by key in one directory. Several jobs and several processes may use it at once: a
    cache is replaced as a whole, and who still reads the old one keeps it."""

    __slots__ = ("_directory",)

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def restore(self, key: str, fallback_keys: Sequence[str] = ()) -> Restored | None:
        """The cache of `key`, else of the first of `fallback_keys` that has one."""
        for candidate in (key, *fallback_keys):
            clean = sanitize_key(candidate)
            if clean and (archive := self._archive(clean)).is_file():
                return Restored(clean, archive)
        return None

    def store(self, key: str, archive: Path) -> Path:
        """Move the zip `archive` into the store, in place of what `key` had.

        Raises `WorkspaceError` for a key that cannot be used, `StorageError` if the cache cannot
        be written; the old one then stays.
        """
        clean = sanitize_key(key)
        if not clean:
            raise WorkspaceError(f"the cache key {key!r} cannot be used: nothing of it is a name")
        target = self._archive(clean)
        with storing(f"the cache {clean}"):
            self._directory.mkdir(parents=True, exist_ok=True)
            try:
                os.replace(archive, target)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                _copy(archive, target)
                archive.unlink()
        return target

    def _archive(self, key: str) -> Path:
        name = quote(key, safe="")
        if len(name) > _LONGEST_NAME:
            name = hashlib.sha256(name.encode()).hexdigest()
        return self._directory / f"{name}.zip"


def sanitize_key(key: str) -> str:
    """`key` as gitlab-runner uses it: a relative path that cannot climb; empty if nothing is left.

    ``%2F`` and ``\\`` are slashes, ``%2E`` is a dot, and the last component does not end in space.
    """
    for dot in ("%2e", "%2E"):
        key = key.replace(dot, ".")
    for slash in ("%2f", "%2F", "\\"):
        key = key.replace(slash, "/")
    parts: list[str] = []
    for part in key.split("/"):
        _step(parts, part)
    while parts and parts[-1] != parts[-1].rstrip():
        _step(parts, parts.pop().rstrip())
    return "/".join(parts)


def _step(parts: list[str], part: str) -> None:
    if part == "..":
        del parts[-1:]
    elif part not in {"", "."}:
        parts.append(part)


def files_key(files: ProjectFiles, names: Sequence[str], prefix: str = "") -> str:
    """``cache:key:files``: a SHA-1 that follows the content of the files that `names` mean.

    Names may be globs. The key is ``default`` if there is no such file. As in GitLab since 2025
    (gitlab-org/gitlab!203233) the content counts, not the commit, so changes that are not
    committed count as well.
    """
    blobs = {blob for path in _named(files, names) if (blob := _blob(files.read(path)))}
    joined = "-".join(sorted(blobs)).encode()
    key = hashlib.sha1(joined, usedforsecurity=False).hexdigest() if blobs else "default"
    return f"{prefix}-{key}" if prefix else key


def _named(files: ProjectFiles, names: Sequence[str]) -> set[str]:
    globs = [compile_glob(normalized(glob)) for name in names for glob in expand_braces(name)]
    return {path for path in files.paths() if any(glob.fullmatch(path) for glob in globs)}


def _blob(content: bytes | None) -> str:
    """git's id of the content."""
    if content is None:
        return ""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _copy(source: Path, target: Path) -> None:
    with open(source, "rb") as reader, written_whole(target) as writer:
        while chunk := reader.read(CHUNK):
            write_all(writer.fileno(), chunk)
