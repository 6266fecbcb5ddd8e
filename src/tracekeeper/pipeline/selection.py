"""A part of a pipeline: the jobs that a person named."""

from collections.abc import Iterator, Sequence

import msgspec

from tracekeeper.errors import UsageError
from tracekeeper.pipeline.nearest import nearest
from tracekeeper.pipeline.pipeline import Job, Pipeline


def select(pipeline: Pipeline, names: Sequence[str], *, with_needs: bool = False) -> Pipeline:
    """`pipeline` with the named jobs alone; the name of a parallel job means all its instances.

    Naming a manual job plays it: it runs as ``on_success``. Needs of jobs that are not selected
    are dropped. `with_needs` adds, again and again, what the selected jobs wait for: their
    needs, or, for a job that follows the stages, the jobs of all earlier stages but for manual
    ones that may fail, which nothing waits for. What is added is played too.

    Raises UsageError for a name that is not in the pipeline.
    """
    chosen = {job.name for name in names for job in _named(pipeline, name)}
    if with_needs:
        chosen = _with_awaited(pipeline, chosen)
    jobs = {name: _played(job, chosen) for name, job in pipeline.jobs.items() if name in chosen}
    return msgspec.structs.replace(pipeline, jobs=jobs)


def _named(pipeline: Pipeline, name: str) -> list[Job]:
    if name in pipeline.jobs:
        return [pipeline.jobs[name]]
    found = [job for job in pipeline.jobs.values() if job.config.name == name]
    if not found:
        raise UsageError(f"there is no job '{name}' in this pipeline", hint=_hint(pipeline, name))
    return found


def _hint(pipeline: Pipeline, name: str) -> str:
    known = {job.config.name for job in pipeline.jobs.values()} | set(pipeline.jobs)
    close = nearest(name, sorted(known))
    return f"did you mean '{close}'?" if close else "`tracekeeper list` shows the jobs there are"


def _with_awaited(pipeline: Pipeline, chosen: set[str]) -> set[str]:
    found: set[str] = set()
    waiting = list(chosen)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _awaited(pipeline, pipeline.jobs[name])
    return found


def _awaited(pipeline: Pipeline, job: Job) -> Iterator[str]:
    if job.needs is not None:
        yield from (need.job for need in job.needs if need.job in pipeline.jobs)
        return
    for other in pipeline.jobs.values():
        optional = other.when == "manual" and other.allow_failure.allowed
        if other.stage_index < job.stage_index and not optional:
            yield other.name


def _played(job: Job, chosen: set[str]) -> Job:
    needs = job.needs and tuple(need for need in job.needs if need.job in chosen)
    when = "on_success" if job.when == "manual" else job.when
    return msgspec.structs.replace(job, needs=needs, when=when)
