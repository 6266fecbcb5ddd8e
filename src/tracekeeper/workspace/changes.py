"""What a pipeline changed, for ``rules:changes``.

GitLab compares a branch pipeline with the branch's previous push. Here that is what the branch is
pushed to (``@{push}``), else its upstream, else where it left the default branch; and what is not
committed yet is part of the change.
"""

from collections.abc import Iterator
from pathlib import Path

from tracekeeper.errors import WorkspaceError
from tracekeeper.workspace.git import NO_SHA, GitState, describe
from tracekeeper.workspace.repository import git, git_paths, try_git


def changed(project: Path, compare_to: str = "") -> list[str] | None:
    """Paths below `project` that changed, deleted ones included, sorted; None if unknown.

    Unknown is what GitLab has nothing to compare with: a tag, a branch that was never pushed and
    is the default one, a directory outside of git. Where everything is committed and pushed, the
    last commit's own changes count. Raises `WorkspaceError` if `compare_to` names no commit.
    """
    state = describe(project)
    if state is None:
        return None
    base = _merge_base(project, compare_to) if compare_to else _base(state)
    if base is None:
        return None
    paths = _changed_since(project, base)
    if paths or base != state.sha or compare_to:
        return paths
    return _changed_since(project, _parent(state))


def _parent(state: GitState) -> str:
    top = state.repository.toplevel
    return _empty_tree(top) if state.before_sha == NO_SHA else state.before_sha


def _empty_tree(top: Path) -> str:
    """The id of the tree without files; it depends on the repository's hash."""
    return git(top, "hash-object", "-t", "tree", "--stdin").decode().strip()


def _base(state: GitState) -> str | None:
    top = state.repository.toplevel
    if not state.sha:
        return _empty_tree(top)
    if state.tag:
        return None
    for candidate in _previous_pushes(state):
        merge_base = try_git(top, "merge-base", "HEAD", candidate)
        if merge_base.status == 0:
            return merge_base.output.decode().strip()
    return None


def _previous_pushes(state: GitState) -> Iterator[str]:
    if state.branch:
        ref = f"refs/heads/{state.branch}"
        tracked = git(
            state.repository.toplevel, "for-each-ref", "--format=%(push)%00%(upstream)", ref
        )
        yield from filter(None, tracked.decode("utf-8", "replace").rstrip("\n").split("\0"))
    yield f"refs/remotes/origin/{state.default_branch}"
    if state.branch != state.default_branch:
        yield f"refs/heads/{state.default_branch}"


def _merge_base(project: Path, compare_to: str) -> str:
    """Where HEAD left `compare_to`: a branch, tag or commit, here or at the origin."""
    for name in (compare_to, f"origin/{compare_to.removeprefix('refs/heads/')}"):
        result = try_git(project, "merge-base", "HEAD", "--end-of-options", name)
        if result.status == 0:
            return result.output.decode().strip()
    raise WorkspaceError(
        f"rules:changes:compare_to names {compare_to!r}, which this checkout does not have",
        hint=f"run: git fetch origin {compare_to}",
    )


def _changed_since(project: Path, base: str) -> list[str]:
    diff = ("diff", "--name-only", "--no-renames", "--no-ext-diff", "--relative", "-z", base)
    untracked = ("ls-files", "--others", "--exclude-standard", "-z")
    return sorted({*git_paths(project, *diff), *git_paths(project, *untracked)})
