"""A project's files, as evaluating its pipeline file may ask for them."""

import os
import stat
from collections.abc import Collection
from pathlib import Path

from tracekeeper.errors import WorkspaceError
from tracekeeper.workspace.disk import is_below, walk
from tracekeeper.workspace.repository import find_repository, git_paths

OWN_DIRECTORY = ".tracekeeper"
"""Where runs are kept; it is never part of a project."""


class Project:
    """Implements `tracekeeper.pipeline.world.ProjectFiles` for a directory.

    `left_out` are paths that are no part of the project: where runs are kept.
    """

    __slots__ = ("_left_out", "_paths", "_root")

    def __init__(self, root: Path, left_out: Collection[str] = (OWN_DIRECTORY,)) -> None:
        self._root = os.path.realpath(root)
        self._left_out = left_out
        self._paths: list[str] | None = None

    def read(self, path: str) -> bytes | None:
        """The content of `path`; None where there is no such file inside the project.

        Raises `WorkspaceError` if the file is there and cannot be read.
        """
        if "\0" in path:
            return None
        real = os.path.realpath(os.path.join(self._root, path))
        if not real.startswith(self._root.rstrip("/") + "/") or not os.path.isfile(real):
            return None
        try:
            with open(real, "rb") as file:
                return file.read()
        except OSError as error:
            raise WorkspaceError(f"cannot read {path}: {error.strerror}") from error

    def paths(self) -> list[str]:
        """Every file and symlink that git knows or does not ignore; outside of git, every one.

        Sorted. Listed once: an evaluation sees one state of the project.
        """
        if self._paths is None:
            root = Path(self._root)
            listed = listed_files(root) if find_repository(root) else walk(root, self._left_out)
            self._paths = sorted(path for path in listed if self._is_file(path))
        return self._paths

    def _is_file(self, path: str) -> bool:
        if is_below(path, self._left_out):
            return False
        try:
            mode = os.lstat(os.path.join(self._root, path)).st_mode
        except OSError:
            return False
        return not stat.S_ISDIR(mode)


def listed_files(directory: Path) -> list[str]:
    """What git has in its index or finds untracked and not ignored, each once.

    A submodule is one path; another repository that is not one ends with a slash.
    """
    listed = git_paths(directory, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return list(dict.fromkeys(listed))
