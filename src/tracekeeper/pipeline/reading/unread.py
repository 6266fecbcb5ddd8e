"""What is left of a pipeline where a file that GitLab would include is not read here.

A job that cannot be known in full is left out, and so is every job that needs it: to run either
without the other would be another pipeline than the one that was written.
"""

from collections.abc import Iterator

from tracekeeper.pipeline.config import LAST_STAGE
from tracekeeper.pipeline.node import Mapping, Node, Reference, Sequence
from tracekeeper.pipeline.reading.checks import Jobs, Links
from tracekeeper.pipeline.reading.findings import Findings
from tracekeeper.pipeline.reading.jobs import WORK, ReadJob


def complete_entries(document: Mapping) -> Mapping:
    """`document` without what kept an ``extends`` or a reference, which could not be resolved."""
    complete = {key: e for key, e in document.entries.items() if not _is_incomplete(e.value)}
    return Mapping(complete, document.at)


def _is_incomplete(node: Node) -> bool:
    return (isinstance(node, Mapping) and "extends" in node) or _has_reference(node)


def _has_reference(node: Node) -> bool:
    if isinstance(node, Mapping):
        return any(_has_reference(entry.value) for entry in node)
    if isinstance(node, Sequence):
        return any(map(_has_reference, node.items))
    return isinstance(node, Reference)


def complete_jobs(jobs: Jobs, findings: Findings) -> dict[str, ReadJob]:
    """The jobs with something to run, all of whose needs and dependencies are among them."""
    kept = {name: job for name, job in jobs.items() if any(work in job.node for work in WORK)}
    while incomplete := _unlinked(kept):
        for name in incomplete:
            message = f"job `{name}` is left out, with a job that it needs"
            findings.warn("left_out", message, kept.pop(name).config.at)
    return kept


def _unlinked(jobs: Jobs) -> list[str]:
    links = Links(jobs, {}, Findings([]))
    return [
        name
        for name, job in jobs.items()
        if any(links.find(linked) is None for linked in _linked_names(job))
    ]


def _linked_names(job: ReadJob) -> Iterator[str]:
    config = job.config
    for needs in (config.needs or (), *(rule.needs or () for rule in config.rules or ())):
        yield from (need.job for need in needs if not need.optional)
    yield from config.dependencies or ()


def all_stages(stages: tuple[str, ...], jobs: Jobs) -> tuple[str, ...]:
    """`stages`, and after them those that only an unread file may have."""
    unknown = dict.fromkeys(job.config.stage for job in jobs.values())
    return (*stages[:-1], *(stage for stage in unknown if stage not in stages), LAST_STAGE)
