"""``needs``: from the names that were written to the jobs of this pipeline.

Source: https://docs.gitlab.com/ci/yaml/#needs.
"""

from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

import msgspec

from tracekeeper.errors import InvalidPipeline
from tracekeeper.pipeline.config import Config, Need
from tracekeeper.pipeline.matrix import needed_names
from tracekeeper.pipeline.pipeline import Job, JobNeed
from tracekeeper.problems import Problem


def link(
    config: Config, jobs: Mapping[str, Job], needs: Mapping[str, Sequence[Need]]
) -> dict[str, Job]:
    """`jobs` with their `needs`; a job that `needs` does not have follows the stages.

    Raises InvalidPipeline for needs of jobs that are missing or in a later stage, and for jobs
    that need each other.
    """
    linked = dict(jobs)
    problems: dict[Problem, None] = {}
    for name, wanted in needs.items():
        found, wrong = _resolve(config, jobs, jobs[name], wanted)
        linked[name] = msgspec.structs.replace(jobs[name], needs=found)
        problems |= dict.fromkeys(wrong)
    if not problems:
        problems |= dict.fromkeys(_cycle(linked, needs))
    if problems:
        raise InvalidPipeline(sorted(problems, key=lambda problem: problem.at))
    return linked


def _resolve(
    config: Config, jobs: Mapping[str, Job], job: Job, needs: Sequence[Need]
) -> tuple[tuple[JobNeed, ...], list[Problem]]:
    """The jobs that `job` needs, each once, and what is wrong with its needs."""
    found: dict[str, JobNeed] = {}
    problems = []
    for need in needs:
        for name in needed_names(need, config.jobs.get(need.job)):
            if name not in jobs:
                problems += [] if need.optional else [_missing(job, name, need)]
            elif jobs[name].stage_index > job.stage_index:
                problems.append(_later(job, jobs[name], need))
            else:
                found[name] = JobNeed(name, need.artifacts)
    return tuple(found.values()), problems


def _missing(job: Job, name: str, need: Need) -> Problem:
    return Problem(
        "missing_need",
        f"job `{job.config.name}` needs job `{name}`, which is not in this pipeline",
        need.at,
        "its own rules may leave it out; `optional: true` needs it only where it exists",
    )


def _later(job: Job, needed: Job, need: Need) -> Problem:
    return Problem(
        "later_stage",
        f"job `{job.config.name}` needs job `{needed.config.name}`, which is in a later stage",
        need.at,
        f"stage `{needed.stage}` comes after `{job.stage}`",
    )


def _cycle(jobs: Mapping[str, Job], needs: Mapping[str, Sequence[Need]]) -> Iterator[Problem]:
    """One circle of needs, if there is any: the needs of rules can close one."""
    graph = {name: [need.job for need in jobs[name].needs or ()] for name in needs}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = list(reversed(error.args[1]))
        at = needs[circle[0]][0].at
        yield Problem("cycle", f"jobs need each other in a circle: {' → '.join(circle)}", at)
