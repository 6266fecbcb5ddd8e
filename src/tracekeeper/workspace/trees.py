"""Removing directory trees, whatever jobs have made of them."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from tracekeeper.errors import StorageError


def remove_tree(path: Path) -> None:
    """Remove a directory whatever modes its entries have; one that is not there is fine.

    Raises StorageError where something in it belongs to someone else.
    """
    opened: set[str] = set()

    def open_and_repeat(_function: object, name: str, error: BaseException) -> None:
        """Open the directory that refuses, or holds what refuses; once."""
        if not os.path.lexists(name):
            return
        around = {name} if name == str(path) else {os.path.dirname(name), name}
        closed = around - opened
        if not closed:
            raise error
        opened.update(closed)
        for directory in filter(_is_directory, closed):
            os.chmod(directory, 0o700)
        if _is_directory(name):
            _remove(name, open_and_repeat)
        else:
            os.unlink(name)

    try:
        if os.path.lexists(path):
            _remove(str(path), open_and_repeat)
    except OSError as error:
        raise StorageError(
            f"{error.filename or path} cannot be removed: {error.strerror}",
            hint=f"remove {path} by hand",
        ) from error


def _remove(path: str, on_error: Callable[[object, str, BaseException], None]) -> None:
    if sys.version_info >= (3, 12):
        shutil.rmtree(path, onexc=on_error)
    else:
        shutil.rmtree(
            path, onerror=lambda function, name, raised: on_error(function, name, raised[1])
        )


def _is_directory(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)
