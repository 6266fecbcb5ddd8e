"""From the pipeline file of a project to its `Config`, with every problem found on the way."""

from collections.abc import Mapping as AbstractMapping

import msgspec

from tracekeeper.errors import InvalidPipeline
from tracekeeper.pipeline.config import Config
from tracekeeper.pipeline.extends import extend
from tracekeeper.pipeline.include import include, unknown_changes
from tracekeeper.pipeline.include_entries import NOT_READ, Changed
from tracekeeper.pipeline.node import Mapping
from tracekeeper.pipeline.reader import read
from tracekeeper.pipeline.reference import resolve_references
from tracekeeper.pipeline.world import ProjectFiles
from tracekeeper.pipeline.yaml import NOT_FILLED_IN
from tracekeeper.problems import Problem


def load(
    path: str,
    files: ProjectFiles,
    variables: AbstractMapping[str, str],
    *,
    changed: Changed = unknown_changes,
) -> Config:
    """The pipeline file at `path`, merged and read; its warnings are in `Config.warnings`.

    `variables` are those known before any job; includes and their rules may use them. `changed`
    answers ``include: rules: changes``. Raises InvalidPipeline with every error found.
    """
    config, problems = check(path, files, variables, changed=changed)
    if config is None:
        raise InvalidPipeline([problem for problem in problems if not problem.warning])
    return config


def check(
    path: str,
    files: ProjectFiles,
    variables: AbstractMapping[str, str],
    *,
    changed: Changed = unknown_changes,
) -> tuple[Config | None, list[Problem]]:
    """What `load` would give, and every error and warning in file order.

    The config is None where there is an error.
    """
    found: list[Problem] = []
    document = merge(path, files, variables, found, changed=changed)
    config = _read(document, found) if document else None
    problems = sorted(set(found), key=lambda problem: (problem.at, problem.warning))
    if config is None or not all(problem.warning for problem in problems):
        return None, problems
    return msgspec.structs.replace(config, warnings=tuple(problems)), problems


def merge(
    path: str,
    files: ProjectFiles,
    variables: AbstractMapping[str, str],
    problems: list[Problem],
    *,
    changed: Changed = unknown_changes,
) -> Mapping | None:
    """The file at `path` as one tree: includes merged in, ``extends`` and references resolved.

    None where the file itself cannot be used; errors and warnings are added to `problems`.
    """
    document = include(path, files, variables, problems, changed=changed)
    if document is None:
        return None
    elsewhere, unread = _missing_include(problems)
    document = extend(document, problems, elsewhere=elsewhere, unread=unread)
    return resolve_references(document, problems, elsewhere=elsewhere, unread=unread)


def _read(document: Mapping, found: list[Problem]) -> Config | None:
    """What the reader says of a place that is wrong already would only repeat it.

    Such a place is also a job that kept its ``extends``: it lacks what it would inherit.
    """
    elsewhere, unread = _missing_include(found)
    wrong = {problem.at for problem in found if not problem.warning}
    wrong |= {e.at for e in document if isinstance(e.value, Mapping) and "extends" in e.value}
    read_problems: list[Problem] = []
    config = read(document, read_problems, elsewhere=elsewhere, unread=unread)
    found += [problem for problem in read_problems if problem.at not in wrong]
    return config


def _missing_include(problems: list[Problem]) -> tuple[str, bool]:
    """A hint where something may be unknown because a file of the pipeline is not there, and
    whether GitLab would have that file."""
    unread = next((problem for problem in problems if problem.code in _UNREAD), None)
    if unread is not None:
        return f"GitLab may know it from what is not acted on at {unread.at}; left out here", True
    absent = next((problem for problem in problems if problem.code in _ABSENT), None)
    return (f"it may be in the file that is missing at {absent.at}" if absent else ""), False


_UNREAD = (NOT_READ, NOT_FILLED_IN)
_ABSENT = ("missing_file", "syntax", "outside_project")
