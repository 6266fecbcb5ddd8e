"""Finding a git repository and running git in it: quickly, and without a trace.

git runs with the C locale, so that its messages can be read; without optional locks, so that a
command of the user that runs at the same time never fails; and without the variables that a hook
exports (``GIT_DIR`` …), so that the directory alone decides which repository is meant.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import msgspec

from tracekeeper.errors import WorkspaceError

if TYPE_CHECKING:
    import subprocess

REDIRECTING = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_SHALLOW_FILE",
    "GIT_GRAFT_FILE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_REPLACE_REF_BASE",
    "GIT_CONFIG",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_INTERNAL_SUPER_PREFIX",
)
"""Variables that make git use another repository than the directory's; git sets them for hooks.
They are those of ``git rev-parse --local-env-vars``, without what ``git -c`` passes on."""


class Repository(msgspec.Struct, frozen=True):
    """Where a checkout's parts are. `git_dir` and `common_dir` differ in a linked worktree."""

    toplevel: Path
    git_dir: Path
    common_dir: Path


class GitResult(msgspec.Struct, frozen=True):
    """How a git command ended."""

    status: int
    output: bytes
    errors: str


def find_repository(directory: Path) -> Repository | None:
    """The repository that `directory` is checked out from; None outside of git.

    Needs no git process. ``.git`` is a directory, or a file that names one (gitrepository-layout).
    """
    directory = directory.resolve()
    for toplevel in (directory, *directory.parents):
        git_dir = _git_dir(toplevel)
        if git_dir is not None:
            return Repository(toplevel, git_dir, _common_dir(git_dir))
    return None


def start_git(directory: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    """Start git in `directory`. Raises `WorkspaceError` if git is not installed."""
    import subprocess

    command = ["git", "-c", "core.fsmonitor=false", *arguments]
    try:
        return subprocess.Popen(
            command,
            cwd=directory,
            env=_environment(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except FileNotFoundError as error:
        if not directory.is_dir():
            raise WorkspaceError(f"the directory {directory} does not exist") from error
        raise WorkspaceError(
            "git is needed to read this checkout, but is not installed",
            hint="install git, or run in a directory that is not a git checkout",
        ) from error


def finish_git(process: "subprocess.Popen[bytes]") -> GitResult:
    """Wait for a started git."""
    output, errors = process.communicate()
    return GitResult(process.returncode, output, errors.decode("utf-8", "replace").strip())


def try_git(directory: Path, *arguments: str) -> GitResult:
    """Run git to its end, whatever its status."""
    return finish_git(start_git(directory, *arguments))


def git(directory: Path, *arguments: str) -> bytes:
    """Run git and return its output. Raises `WorkspaceError` if it fails."""
    result = try_git(directory, *arguments)
    if result.status != 0:
        refuse(directory, result.errors)
    return result.output


def git_paths(directory: Path, *arguments: str) -> list[str]:
    """Run a git command that prints NUL-terminated paths."""
    return split_paths(git(directory, *arguments))


def split_paths(output: bytes) -> list[str]:
    """Paths as NUL-terminated by git's ``-z``; undecodable bytes become surrogates."""
    return os.fsdecode(output).split("\0")[:-1]


def refuse(directory: Path, errors: str) -> NoReturn:
    """Raise what git said as a `WorkspaceError`, with a way out where one is known."""
    if "dubious ownership" in errors:
        raise WorkspaceError(
            f"git refuses to read {directory}, because it belongs to another user",
            hint=f"run: git config --global --add safe.directory {directory}",
        )
    said = errors.splitlines()[0].removeprefix("fatal: ") if errors else "it gave no reason"
    raise WorkspaceError(f"git cannot read {directory}: {said}")


def _environment(inherited: Mapping[str, str]) -> dict[str, str]:
    environment = {key: inherited[key] for key in inherited if key not in REDIRECTING}
    return environment | {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}


def _git_dir(toplevel: Path) -> Path | None:
    dot_git = toplevel / ".git"
    if (dot_git / "HEAD").exists():
        return dot_git.resolve()
    try:
        pointer = dot_git.read_text(errors="surrogateescape")
    except OSError:
        return None
    if not pointer.startswith("gitdir: "):
        return None
    return (toplevel / pointer.removeprefix("gitdir: ").rstrip("\r\n")).resolve()


def _common_dir(git_dir: Path) -> Path:
    try:
        pointer = (git_dir / "commondir").read_text(errors="surrogateescape")
    except OSError:
        return git_dir
    return (git_dir / pointer.rstrip("\r\n")).resolve()
