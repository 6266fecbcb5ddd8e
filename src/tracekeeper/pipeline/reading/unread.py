"""What is left of a pipeline where a file that GitLab would include is not read here.

A job that cannot be known in full is left out, and so is every job that needs it: to run either
without the other would be another pipeline than the one that was written.
"""

import re
from collections.abc import Iterator

from tracekeeper.pipeline.config import LAST_STAGE
from tracekeeper.pipeline.node import Entry, Mapping, Node, Reference, Scalar, Sequence
from tracekeeper.pipeline.reading.checks import Jobs, Links
from tracekeeper.pipeline.reading.findings import Findings
from tracekeeper.pipeline.reading.jobs import WORK, ReadJob

_INPUT = re.compile(r"\$\[\[(?!\s*matrix\b)")
"""Matrix expressions in ``needs`` look alike, and are filled in."""


def complete_entries(document: Mapping, findings: Findings) -> Mapping:
    """`document` without what kept an ``extends``, a reference or an input.

    Of the first two it has been said where they stand.
    """
    complete = {}
    for entry in document:
        if _takes_input(entry):
            _name_input(entry, findings)
        elif not _is_incomplete(entry.value):
            complete[entry.key] = entry
    return Mapping(complete, document.at)


def _takes_input(entry: Entry) -> bool:
    texts = (node.text for node in _inside(entry.value) if isinstance(node, Scalar))
    return any(map(_INPUT.search, (entry.key, *texts)))


def _name_input(entry: Entry, findings: Findings) -> None:
    if not entry.key.startswith("."):
        message = f"`{entry.key}` is left out: it has inputs, which are not filled in"
        findings.warn("left_out", message, entry.at)


def _is_incomplete(node: Node) -> bool:
    if isinstance(node, Mapping) and "extends" in node:
        return True
    return any(isinstance(inner, Reference) for inner in _inside(node))


def _inside(node: Node) -> Iterator[Node]:
    """`node` and all that is in it."""
    yield node
    if isinstance(node, Mapping):
        for entry in node:
            yield from _inside(entry.value)
    elif isinstance(node, Sequence):
        for item in node.items:
            yield from _inside(item)


def complete_jobs(jobs: Jobs, findings: Findings) -> dict[str, ReadJob]:
    """The jobs with something to run, all of whose needs and dependencies are among them."""
    idle = {name for name, job in jobs.items() if not any(work in job.node for work in WORK)}
    left_out = _with_dependents(jobs, idle)
    for name in jobs:
        if name in left_out and name not in idle:
            message = f"job `{name}` is left out, with a job that it needs"
            findings.warn("left_out", message, jobs[name].config.at)
    return {name: job for name, job in jobs.items() if name not in left_out}


def _with_dependents(jobs: Jobs, incomplete: set[str]) -> set[str]:
    """The jobs that are incomplete, that need one that is not there, or that need one of these."""
    links = Links(jobs, {}, Findings([]))
    needed_by: dict[str, list[str]] = {}
    waiting = list(incomplete)
    for name, job in jobs.items():
        for target in map(links.find, _linked_names(job)):
            if target is None:
                waiting.append(name)
            else:
                needed_by.setdefault(target.config.name, []).append(name)
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += needed_by.get(name, ())
    return found


def _linked_names(job: ReadJob) -> Iterator[str]:
    config = job.config
    for needs in (config.needs or (), *(rule.needs or () for rule in config.rules or ())):
        yield from (need.job for need in needs if not need.optional)
    yield from config.dependencies or ()


def all_stages(stages: tuple[str, ...], jobs: Jobs) -> tuple[str, ...]:
    """`stages`, and after them those that only an unread file may have."""
    unknown = dict.fromkeys(job.config.stage for job in jobs.values())
    return (*stages[:-1], *(stage for stage in unknown if stage not in stages), LAST_STAGE)
