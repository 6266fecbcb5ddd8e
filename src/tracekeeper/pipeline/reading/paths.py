"""Paths of files that a job keeps: outside of the project there is nothing to keep.

GitLab accepts any path, and its runner leaves out what lies outside, with a warning.
"""

from tracekeeper.pipeline.node import Node
from tracekeeper.pipeline.reading.findings import Findings
from tracekeeper.pipeline.reading.values import listed, name, one_or_listed


def leaves_project(path: str) -> bool:
    """Whether `path` surely leads out of the project directory.

    With a variable in it, nothing is sure before the job runs.
    """
    if "$" in path:
        return False
    if path.startswith("/"):
        return True
    depth = 0
    for part in path.split("/"):
        depth += -1 if part == ".." else part not in ("", ".")
        if depth < 0:
            return True
    return False


def project_path(node: Node, what: str, findings: Findings) -> str:
    """A path or pattern relative to the project directory."""
    path = name(node, what, findings)
    if leaves_project(path):
        findings.warn(
            "path_outside",
            f"`{what}` leads out of the project: `{path}` has no effect",
            node.at,
            "write a path relative to the project directory, without a leading `/` or `..`",
        )
    return path


project_paths = listed(project_path)
project_path_or_paths = one_or_listed(project_path)
