"""A repository's ``.git`` as a job gets it: the same history and state, no secrets and no hooks.

Only what is listed here is taken over (gitrepository-layout). Objects stay where they are and are
named in ``objects/info/alternates``, so that a copy costs nothing and a job can change nothing.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from tracekeeper.workspace.disk import walk
from tracekeeper.workspace.git import without_credentials
from tracekeeper.workspace.repository import Repository

ALTERNATES = "objects/info/alternates"
DIRECTORIES = ("objects/info", "refs/heads", "refs/tags")

_SHARED_FILES = ("packed-refs", "shallow")
_OWN_FILES = ("index", "MERGE_MSG", "MERGE_MODE", "AUTO_MERGE")
_SECTIONS = {
    *("branch", "color", "core", "diff", "extensions", "filter", "i18n", "init", "lfs", "log"),
    *("merge", "pull", "push", "remote", "status", "submodule", "tag", "user", "versionsort"),
}
_DROPPED = {
    *("core.askpass", "core.bare", "core.editor", "core.fsmonitor", "core.gitproxy"),
    *("core.hookspath", "core.pager", "core.sshcommand", "core.worktree"),
    "extensions.worktreeconfig",
}
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\b": "\\b"})


def state_files(repository: Repository) -> Iterator[tuple[Path, str]]:
    """Each file of the repository's state that a job gets, and its path below ``.git``.

    A later file of the same name replaces an earlier one: a linked worktree's own wins.
    """
    shared, own = repository.common_dir, repository.git_dir
    for name in _SHARED_FILES:
        yield shared / name, name
    for name in sorted(os.listdir(own)):
        if name in _OWN_FILES or name.endswith("HEAD") or name.startswith("sharedindex."):
            yield own / name, name
    for git_dir in dict.fromkeys((shared, own)):
        for directory in ("refs", "info", "reftable"):
            for path in walk(git_dir / directory):
                yield git_dir / directory / path, f"{directory}/{path}"


def job_config(listing: str) -> str:
    """The repository's configuration for a job, from ``git config -z --list --show-scope``.

    Left out are the user's and the system's, and every section that may hold credentials, hooks
    or places outside of the copy. Two settings are added: the copy's
    inodes and change times are not those in the index, so git shall compare the rest.
    """
    lines = ["[core]", "\tbare = false", "\ttrustctime = false", "\tcheckstat = minimal"]
    fields = listing.split("\0")[:-1]
    section = "core"
    for scope, setting in zip(fields[::2], fields[1::2], strict=True):
        key, has_value, value = setting.partition("\n")
        if scope not in {"local", "worktree"} or not _is_taken(key):
            continue
        head, _, name = key.rpartition(".")
        if head != section:
            section = head
            lines.append(_section_header(section))
        lines.append(f"\t{name} = {_quoted(_harmless(key, value))}" if has_value else f"\t{name}")
    return "\n".join(lines) + "\n"


def alternates(objects: Path) -> bytes:
    """The content of ``objects/info/alternates`` that points to `objects`."""
    path = os.fsencode(objects)
    if b"\n" in path:
        path = b'"%s"' % path.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return path + b"\n"


def object_files(objects: Path) -> Iterator[tuple[Path, str]]:
    """Every object file that `objects` gives access to, its own alternates' included, and its
    path below ``objects``; each name once."""
    seen = set[str]()
    for store in _stores(objects):
        for path in walk(store):
            if path.startswith("info/") or _is_unfinished(path) or path in seen:
                continue
            seen.add(path)
            yield store / path, path


def _stores(objects: Path) -> Iterator[Path]:
    pending, seen = [objects], set[Path]()
    while pending:
        store = pending.pop().resolve()
        if store in seen:
            continue
        seen.add(store)
        yield store
        try:
            lines = (store / "info/alternates").read_text(errors="surrogateescape").splitlines()
        except OSError:
            continue
        pending.extend(store / line for line in lines if line and not line.startswith("#"))


def _is_unfinished(path: str) -> bool:
    return path.rpartition("/")[2].startswith("tmp_")


def _is_taken(key: str) -> bool:
    return key.partition(".")[0] in _SECTIONS and key not in _DROPPED


def _harmless(key: str, value: str) -> str:
    return without_credentials(value) if key.endswith("url") else value


def _section_header(section: str) -> str:
    name, _, subsection = section.partition(".")
    return f"[{name} {_quoted(subsection)}]" if subsection else f"[{name}]"


def _quoted(text: str) -> str:
    return '"' + text.translate(_ESCAPES) + '"'
