"""Which files ``artifacts:paths`` and ``cache:paths`` mean, as gitlab-runner reads them.

What a pattern matches is taken with all that lies below it; an exclude pattern takes away only
what it matches itself (docs.gitlab.com/ci/yaml, ``artifacts:exclude``).
"""

import os
import posixpath
import re
import stat
from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec

from tracekeeper.errors import WorkspaceError
from tracekeeper.workspace.disk import walk
from tracekeeper.workspace.patterns import META, compile_glob, expand_braces


class Selection(msgspec.Struct, frozen=True):
    """What was selected.

    `files` are files, symlinks and directories, relative to the project, sorted. `missing` are
    the patterns that matched nothing, `found` says how much each other one matched. `rejected`
    are sentences about patterns that cannot be used; those are not `missing` as well.
    """

    files: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    found: dict[str, int] = {}
    rejected: tuple[str, ...] = ()


def select(
    root: str | os.PathLike[str],
    paths: Sequence[str],
    exclude: Sequence[str] = (),
    *,
    untracked: bool = False,
    known: Collection[str] = (),
    project_dir: str = "",
) -> Selection:
    """Find what `paths` mean below `root`.

    With `untracked` every file that is not in `known` (the paths that the job started with) is
    taken as well, ignored ones included. An absolute pattern has to lie below `project_dir`, the
    project as the job knows it. Symlinks are selected, never followed, except one that a pattern
    names and that stays inside the project. ``.git`` is taken only if a pattern starts with it.
    """
    root = os.path.realpath(root)
    rejected: list[str] = []
    excluded = [compile_glob(glob) for glob in _usable(exclude, project_dir, rejected)]
    selected = set[str]()
    found = dict[str, int]()
    for pattern in paths:
        refusals = len(rejected)
        globs = list(_usable([pattern], project_dir, rejected))
        matches = {path for glob in globs for path in _Search(root, glob, rejected).matches()}
        kept = {path for path in matches if not _matches_any(excluded, path)}
        if kept or len(rejected) == refusals:
            found[pattern] = len(kept)
        selected |= kept
    if untracked:
        others = {path for path in walk(root, (".git",)) if path not in known}
        kept = {path for path in others if not _matches_any(excluded, path)}
        found["untracked"] = len(kept)
        selected |= kept
    missing = tuple(pattern for pattern, count in found.items() if not count)
    counted = {pattern: count for pattern, count in found.items() if count}
    return Selection(tuple(sorted(selected)), missing, counted, tuple(rejected))


def literal_prefixes(patterns: Iterable[str], project_dir: str = "") -> list[str]:
    """The fewest paths below which everything lies that `patterns` can match.

    ``"."`` is the whole project. Patterns that `select` rejects are left out.
    """
    prefixes = {_literal_prefix(glob) or "." for glob in _usable(patterns, project_dir, [])}
    if "." in prefixes:
        return ["."]
    return sorted(path for path in prefixes if not any(_parents(path) & prefixes))


def normalized(pattern: str, project_dir: str = "") -> str:
    """`pattern` relative to the project, without ``./``, ``//``, ``..`` and a trailing slash.

    Raises `WorkspaceError` if it is empty or leaves the project.
    """
    if not pattern:
        raise WorkspaceError("an empty path matches nothing")
    path = pattern
    if path.startswith("/"):
        base = project_dir.rstrip("/")
        if not base or not f"{path.rstrip('/')}/".startswith(f"{base}/"):
            raise WorkspaceError(_outside(pattern))
        path = path[len(base) :].lstrip("/")
    path = posixpath.normpath(path)
    if path == ".." or path.startswith("../"):
        raise WorkspaceError(_outside(pattern))
    return path


class _Search:
    """One pattern, looked for in the project."""

    __slots__ = ("_glob", "_pattern", "_rejected", "_root")

    def __init__(self, root: str, glob: str, rejected: list[str]) -> None:
        self._root = root
        self._glob = glob
        self._pattern = compile_glob(glob)
        self._rejected = rejected

    def matches(self) -> Iterator[str]:
        prefix = _literal_prefix(self._glob)
        if not self._is_inside(prefix):
            self._rejected.append(_outside(self._glob))
            return
        if prefix == self._plain():
            yield from self._whole(prefix)
        else:
            yield from self._below(prefix)

    def _plain(self) -> str | None:
        """The pattern as a path, if it has no wildcard."""
        if META.search(self._glob):
            return None
        return "" if self._glob == "." else self._glob

    def _is_inside(self, prefix: str) -> bool:
        parent = prefix if META.search(self._glob) else posixpath.dirname(prefix)
        real = os.path.realpath(os.path.join(self._root, parent))
        return f"{real}/".startswith(f"{self._root.rstrip('/')}/")

    def _whole(self, path: str) -> Iterator[str]:
        """`path` and all below it."""
        try:
            mode = os.lstat(os.path.join(self._root, path)).st_mode
        except OSError:
            return
        if path:
            yield path
        if stat.S_ISDIR(mode):
            for entry, inner in self._entries(path):
                yield from self._whole(inner) if entry.is_dir(follow_symlinks=False) else (inner,)

    def _below(self, directory: str) -> Iterator[str]:
        """What the pattern matches below `directory`, each with all below it."""
        for entry, path in self._entries(directory):
            if self._pattern.fullmatch(path):
                yield from self._whole(path)
            elif entry.is_dir(follow_symlinks=False) and self._may_match_below(path):
                yield from self._below(path)

    def _may_match_below(self, path: str) -> bool:
        return "**" in self._glob or path.count("/") < self._glob.count("/")

    def _entries(self, directory: str) -> Iterator[tuple[os.DirEntry[str], str]]:
        try:
            with os.scandir(os.path.join(self._root, directory)) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            return
        for entry in listed:
            path = f"{directory}/{entry.name}" if directory else entry.name
            if path != ".git" or self._glob.startswith(".git"):
                yield entry, path


def _usable(patterns: Iterable[str], project_dir: str, rejected: list[str]) -> Iterator[str]:
    for pattern in patterns:
        try:
            globs = [normalized(glob, project_dir) for glob in expand_braces(pattern)]
            for glob in globs:
                compile_glob(glob)
        except WorkspaceError as error:
            rejected.append(error.message)
        else:
            yield from globs


def _outside(pattern: str) -> str:
    return f"the path {pattern} is outside of the project directory and is left out"


def _matches_any(globs: Sequence[re.Pattern[str]], path: str) -> bool:
    return any(glob.fullmatch(path) for glob in globs)


def _literal_prefix(glob: str) -> str:
    """The components before the first one with a wildcard."""
    literal = []
    for component in glob.split("/"):
        if META.search(component):
            break
        literal.append(component)
    return "" if literal == ["."] else "/".join(literal)


def _parents(path: str) -> set[str]:
    parts = path.split("/")
    return {"/".join(parts[:count]) for count in range(1, len(parts))}
