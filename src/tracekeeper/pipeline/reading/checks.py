"""What must hold between the jobs of a file: stages, needs, dependencies, ``on_stop``."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from tracekeeper.pipeline import node as nodes
from tracekeeper.pipeline.config import FIRST_STAGE, LAST_STAGE, JobConfig, Need
from tracekeeper.pipeline.reading.findings import Findings
from tracekeeper.pipeline.reading.jobs import ReadJob
from tracekeeper.pipeline.reading.values import flatten, suggest
from tracekeeper.problems import Position

Jobs = Mapping[str, ReadJob]


def check_jobs(jobs: Jobs, stages: Sequence[str], findings: Findings) -> None:
    """Check all jobs against each other."""
    order = {stage: index for index, stage in enumerate(stages)}
    links = Links(jobs, order, findings)
    for job in jobs.values():
        _check_stage(job, stages, findings)
        links.check(job)
        _check_on_stop(job, jobs, findings)
    _check_cycles(jobs, links, findings)
    if jobs and all(job.config.stage in (FIRST_STAGE, LAST_STAGE) for job in jobs.values()):
        first = next(iter(jobs.values()))
        message = "a pipeline with jobs in `.pre` and `.post` alone never runs"
        findings.warn("no_regular_stage", message, first.config.at, "add a job in another stage")


def _check_stage(job: ReadJob, stages: Sequence[str], findings: Findings) -> None:
    stage = job.config.stage
    if stage in stages:
        return
    message = f"stage `{stage}` of job `{job.config.name}` is not in `stages`"
    hint = f"{suggest(stage, stages)} known: {', '.join(stages)}".strip()
    if findings.elsewhere:
        hint = f"{hint}; {findings.elsewhere}"
    findings.unknown("unknown_stage", message, _position(job, "stage"), hint)


def _position(job: ReadJob, key: str) -> Position:
    """Where the value of a job's keyword stands, or the job itself."""
    node = job.node.get(key)
    return job.config.at if node is None else node.at


def instance_names(job: JobConfig) -> Iterator[str]:
    """The names GitLab gives the instances of a parallel job."""
    for index in range(1, job.parallel + 1):
        yield f"{job.name} {index}/{job.parallel}"
    for row in job.matrix:
        for values in product(*row.variables.values()):
            yield f"{job.name}: [{', '.join(values)}]"


class Links:
    """Needs and dependencies: what one job says of others."""

    def __init__(self, jobs: Jobs, order: Mapping[str, int], findings: Findings) -> None:
        self._jobs = jobs
        self._order = order
        self._findings = findings
        self._instances: dict[str, str] | None = None

    def find(self, name: str) -> ReadJob | None:
        """The job called `name`, which may be the name of one instance of a parallel job."""
        if name in self._jobs:
            return self._jobs[name]
        if self._instances is None:
            self._instances = {
                instance: job.config.name
                for job in self._jobs.values()
                for instance in instance_names(job.config)
            }
        base = self._instances.get(name)
        return None if base is None else self._jobs[base]

    def check(self, job: ReadJob) -> None:
        """Check everything that `job` says of other jobs."""
        self._check_needs(job, job.config.needs or ())
        for rule in job.config.rules or ():
            self._check_needs(job, rule.needs or ())
        self._check_dependencies(job)

    def _check_needs(self, job: ReadJob, needs: Sequence[Need]) -> None:
        seen: list[tuple[str, object]] = []
        for need in needs:
            self._check_need(job, need)
            key = (need.job, need.matrix)
            if key in seen:
                message = f"job `{job.config.name}` needs `{need.job}` twice"
                self._findings.error("duplicate_need", message, need.at)
            seen.append(key)

    def _check_need(self, job: ReadJob, need: Need) -> None:
        if need.job == job.config.name:
            message = f"job `{need.job}` needs itself"
            self._findings.error("need_of_itself", message, need.at)
        elif not (need.optional and self.find(need.job) is None):
            self._check_earlier(job, need.job, "needs", need.at)

    def _check_dependencies(self, job: ReadJob) -> None:
        config, node = job.config, job.node.get("dependencies")
        if not isinstance(node, nodes.Sequence):
            return
        needed = {need.job for need in config.needs or ()}
        places = [item.at for item in flatten(node, "dependencies", self._findings)]
        for name, at in zip(config.dependencies or (), places, strict=True):
            self._check_earlier(job, name, "depends on", at)
            if needed and name and name not in needed:
                message = (
                    f"`{name}` is in `dependencies` of job `{config.name}`, not in its `needs`"
                )
                self._findings.error("dependency_not_needed", message, at, "add it to `needs`")

    def _check_earlier(self, job: ReadJob, name: str, verb: str, at: Position) -> None:
        if not name:
            return
        target = self.find(name)
        if target is None:
            missing = "is not known here" if self._findings.unread else "does not exist"
            message = f"job `{job.config.name}` {verb} `{name}`, which {missing}"
            hint = suggest(name, self._jobs)
            self._findings.unknown("unknown_job", message, at, hint)
            return
        own, other = self._order.get(job.config.stage), self._order.get(target.config.stage)
        if own is not None and other is not None and other > own:
            message = f"job `{job.config.name}` {verb} `{name}`, which is in a later stage"
            hint = f"stage `{target.config.stage}` comes after `{job.config.stage}`"
            self._findings.error("later_stage", message, at, hint)


def _check_cycles(jobs: Jobs, links: Links, findings: Findings) -> None:
    """Name every cycle of needs, by a depth-first walk without recursion."""
    done: set[str] = set()
    for start in jobs:
        path: dict[str, Iterator[tuple[str, Position]]] = {}
        target, at = start, jobs[start].config.at
        while True:
            if target in path:
                names = list(path)
                cycle = " → ".join([*names[names.index(target) :], target])
                findings.error("cycle", f"jobs need each other in a circle: {cycle}", at)
            elif target not in done:
                path[target] = _targets(jobs[target].config, links)
            step = _step(path, done)
            if step is None:
                break
            target, at = step


def _step(
    path: dict[str, Iterator[tuple[str, Position]]], done: set[str]
) -> tuple[str, Position] | None:
    """The next edge to walk, leaving the jobs that have none left; None where all are done."""
    while path:
        last = next(reversed(path))
        step = next(path[last], None)
        if step is not None:
            return step
        del path[last]
        done.add(last)
    return None


def _targets(job: JobConfig, links: Links) -> Iterator[tuple[str, Position]]:
    for need in job.needs or ():
        target = links.find(need.job)
        if target is not None and target.config.name != job.name:
            yield target.config.name, need.at


def _check_on_stop(job: ReadJob, jobs: Jobs, findings: Findings) -> None:
    """``environment:on_stop`` names a job that stops the same environment."""
    environment = job.config.environment
    if environment is None or not environment.on_stop:
        return
    stopper = jobs.get(environment.on_stop)
    mistake = ""
    if stopper is None and findings.unread:
        return
    if stopper is None:
        mistake = "does not exist"
    elif stopper.config.environment is None:
        mistake = "has no `environment`"
    elif stopper.config.environment.name != environment.name:
        mistake = f"has another environment, `{stopper.config.environment.name}`"
    elif stopper.config.environment.action != "stop":
        mistake = "does not have `action: stop`"
    if mistake:
        node = job.node.get("environment")
        assert isinstance(node, nodes.Mapping)
        at = node.entries["on_stop"].value.at
        message = (
            f"`on_stop` of job `{job.config.name}` is `{environment.on_stop}`, which {mistake}"
        )
        findings.error("bad_on_stop", message, at)
