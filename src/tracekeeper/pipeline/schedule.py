"""Which jobs of a pipeline may run now. Pure: what happens is told to it, and the time with it.

Rules: https://docs.gitlab.com/ci/yaml/ (stage, needs, when, allow_failure, retry,
resource_group) and GitLab's pipeline processing. A job without `needs` waits for all earlier
stages, one with `needs` for these alone.
"""

from bisect import insort
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from tracekeeper.pipeline.gates import Gate, Kind, Verdict, accepts, kind_of
from tracekeeper.pipeline.pipeline import Job, Pipeline
from tracekeeper.pipeline.resources import Resources
from tracekeeper.pipeline.status import (
    COMPLETED,
    Event,
    IllegalTransition,
    Status,
    compose,
    next_status,
)

NEVER_RETRIED: Final = frozenset({"missing_dependency_failure", "environment_creation_failure"})
"""Failure reasons that another attempt cannot mend, whatever `retry` says."""

_ACTIVE: Final[frozenset[Status]] = frozenset(
    {"waiting_for_resource", "pending", "running", "canceling", "scheduled"}
)


class Change(msgspec.Struct, frozen=True):
    """A job has a new status. `attempt` counts from 1; a retried job has the next one."""

    job: str
    status: Status
    attempt: int


class Schedule:
    """The course of one pipeline.

    Call `begin` once, then report what happens. Every call returns what changed by it, in order;
    a job that became ``pending`` may be started, and `pending` lists all of these. Times are
    seconds of any clock that does not go backwards.

    `resource_groups` gives the expanded name of a job's resource group where it is not just what
    is written. A need that names a job which is not in the pipeline counts as fulfilled, so that
    a part of a pipeline can be run.

    Every call that names a job raises IllegalTransition where this cannot happen to it now.
    """

    def __init__(
        self, pipeline: Pipeline, *, resource_groups: Mapping[str, str] | None = None
    ) -> None:
        self._jobs = pipeline.jobs
        self._order = {name: position for position, name in enumerate(pipeline.jobs)}
        self._status: dict[str, Status] = dict.fromkeys(self._jobs, "created")
        self._attempts = dict.fromkeys(self._jobs, 1)
        self._allowed = {
            name: job.allow_failure.allowed and not job.allow_failure.exit_codes
            for name, job in self._jobs.items()
        }
        self._changes: list[Change] = []
        self._undecided: deque[str] = deque()
        self._active = 0
        self._pending: list[int] = []
        self._names = tuple(self._jobs)
        self._due: dict[str, float] = {}
        self._resources = Resources(
            {
                name: (resource_groups or {}).get(name, job.config.resource_group)
                for name, job in self._jobs.items()
            }
        )
        self._stages = [Gate() for _ in range(1 + self._last_stage())]
        self._followers: list[list[str]] = [[] for _ in self._stages]
        self._settled = 0  # so many stages from the first are over
        self._needs: dict[str, Gate] = {}
        self._dependants: dict[str, list[str]] = {name: [] for name in self._jobs}
        for job in self._jobs.values():
            self._place(job)

    def _last_stage(self) -> int:
        return max((job.stage_index for job in self._jobs.values()), default=0)

    def _place(self, job: Job) -> None:
        self._stages[job.stage_index].add("open")
        if job.needs is None:
            self._followers[job.stage_index].append(job.name)
            return
        self._needs[job.name] = gate = Gate()
        for needed in dict.fromkeys(n.job for n in job.needs if n.job in self._jobs):
            gate.add("open")
            self._dependants[needed].append(job.name)

    # what is

    @property
    def statuses(self) -> Mapping[str, Status]:
        """Each job's status, in the pipeline's order."""
        return self._status

    @property
    def pending(self) -> tuple[str, ...]:
        """The jobs that may start now, in the pipeline's order."""
        return tuple(self._names[position] for position in self._pending)

    @property
    def is_over(self) -> bool:
        """Whether nothing will happen any more unless a person plays a manual job."""
        return not self._active

    @property
    def next_due(self) -> float | None:
        """When the next delayed job may start; None if none waits."""
        return min(self._due.values(), default=None)

    @property
    def status(self) -> Status:
        """The pipeline's status, as GitLab composes it."""
        return compose((status, self._allowed[name]) for name, status in self._status.items())

    def may_fail(self, job: str) -> bool:
        """Whether a failure of `job` is allowed; with exit codes, once it ended with one."""
        return self._allowed[job]

    # what happens

    def begin(self, now: float) -> tuple[Change, ...]:
        """Start the pipeline."""
        self._undecided.extend(self._needs)
        self._undecided.extend(self._followers[0])
        self._settle()
        return self._decide_all(now)

    def started(self, job: str) -> tuple[Change, ...]:
        """An executor took `job`, which was pending."""
        self._apply(job, "run")
        return self._drain()

    def finished(
        self, job: str, now: float, *, failure_reason: str = "", exit_code: int | None = None
    ) -> tuple[Change, ...]:
        """`job` ended: well where `failure_reason` is empty, else for that reason of GitLab's.

        A failed job that may be tried again is pending again.
        """
        if not failure_reason:
            self._apply(job, "succeed")
            return self._decide_all(now)
        if exit_code is not None and exit_code in self._jobs[job].allow_failure.exit_codes:
            self._allowed[job] = True
        self._apply(job, "drop")
        if self._status[job] == "failed" and self._retries(job, failure_reason, exit_code):
            self._retry(job)
        return self._decide_all(now)

    def advance(self, now: float) -> tuple[Change, ...]:
        """Time has passed: delayed jobs whose time has come may run."""
        due = [name for name, at in self._due.items() if at <= now]
        for name in sorted(due, key=lambda name: (self._due[name], self._order[name])):
            self._enqueue(name)
        return self._drain()

    def play(self, job: str, now: float) -> tuple[Change, ...]:
        """A person starts `job`, which is manual or delayed. Jobs that were skipped because it
        had not run get another chance."""
        if self._status[job] not in ("manual", "scheduled"):
            raise IllegalTransition(f"a job that is {self._status[job]} cannot be played")
        self._enqueue(job)
        self._reset_after(job)
        return self._decide_all(now)

    def cancel(self, job: str, now: float) -> tuple[Change, ...]:
        """`job` shall stop. One that runs is ``canceling`` until it has `finished`."""
        self._apply(job, "cancel")
        return self._decide_all(now)

    def canceled(self, job: str, now: float) -> tuple[Change, ...]:
        """`job` was stopped at once and is gone."""
        self._apply(job, "cancel_now")
        return self._decide_all(now)

    def cancel_all(self) -> tuple[Change, ...]:
        """Everything shall stop. Manual jobs stay as they are."""
        self._resources.forget_queues()
        for name, status in self._status.items():
            if status == "created" or (status in _ACTIVE and status != "canceling"):
                self._apply(name, "cancel")
        self._undecided.clear()
        return self._drain()

    # how it follows

    def _drain(self) -> tuple[Change, ...]:
        changes = tuple(self._changes)
        self._changes.clear()
        return changes

    def _decide_all(self, now: float) -> tuple[Change, ...]:
        while self._undecided:
            name = self._undecided.popleft()
            if self._status[name] == "created":
                self._decide(self._jobs[name], now)
        return self._drain()

    def _decide(self, job: Job, now: float) -> None:
        by_needs = job.needs is not None
        verdict = self._needs[job.name].of_needs(job.when) if by_needs else self._before(job)
        if verdict is None:
            return
        if not accepts(job.when, verdict, by_needs=by_needs):
            self._apply(job.name, "skip")
        elif job.when == "manual":
            self._apply(job.name, "hold")
        elif job.when == "delayed":
            self._apply(job.name, "schedule")
            self._due[job.name] = now + job.start_in
        else:
            self._enqueue(job.name)

    def _before(self, job: Job) -> Verdict | None:
        """How the stages before the job's ended."""
        if job.stage_index > self._settled:
            return None
        gate = Gate()
        for stage in self._stages[: job.stage_index]:
            gate.include(stage)
        return gate.of_stages()

    def _apply(self, name: str, event: Event) -> None:
        """Let `event` happen to a job, and tell all that counts it."""
        before = self._status[name]
        after = next_status(before, event)
        self._status[name] = after
        self._active += (after in _ACTIVE) - (before in _ACTIVE)
        self._track(name, before, after)
        if after != "created":
            self._changes.append(Change(name, after, self._attempts[name]))
        allowed = self._allowed[name]
        self._recount(name, kind_of(before, allowed), kind_of(after, allowed))
        if after in COMPLETED and (heir := self._resources.release(name, self._status)):
            self._apply(heir, "enqueue")

    def _track(self, name: str, before: Status, after: Status) -> None:
        if before == "pending":
            self._pending.remove(self._order[name])
        if after == "pending":
            insort(self._pending, self._order[name])
        if before == "scheduled":
            del self._due[name]

    def _recount(self, name: str, before: Kind, after: Kind) -> None:
        if before == after:
            return
        stage = self._jobs[name].stage_index
        self._stages[stage].move(before, after)
        for dependant in self._dependants[name]:
            self._needs[dependant].move(before, after)
        self._undecided.extend(self._dependants[name])
        self._settled = min(self._settled, stage) if after == "open" else self._settled
        self._settle()

    def _settle(self) -> None:
        """Go on to the first stage that is not over; whoever follows a finished one is next."""
        while self._settled < len(self._stages) - 1 and not self._stages[self._settled].is_open:
            self._settled += 1
            self._undecided.extend(self._followers[self._settled])

    def _enqueue(self, name: str) -> None:
        free = self._resources.take(name)
        self._apply(name, "enqueue" if free else "wait_for_resource")

    def _retries(self, name: str, reason: str, exit_code: int | None) -> bool:
        retry = self._jobs[name].config.retry
        if reason in NEVER_RETRIED or self._attempts[name] > retry.max:
            return False
        if exit_code is not None and exit_code in retry.exit_codes:
            return True
        always = "always" in retry.when or not (retry.when or retry.exit_codes)
        return always or reason in retry.when

    def _retry(self, name: str) -> None:
        job = self._jobs[name]
        self._apply(name, "retry")
        self._attempts[name] += 1
        self._allowed[name] = job.allow_failure.allowed and not job.allow_failure.exit_codes
        self._enqueue(name)

    def _reset_after(self, name: str) -> None:
        reached = deque(self._after(name))
        while reached:
            later = reached.popleft()
            if self._status[later] != "skipped":
                continue
            self._apply(later, "reset")
            self._undecided.append(later)
            reached.extend(self._after(later))

    def _after(self, name: str) -> Iterator[str]:
        """The jobs that wait for `name` directly or by their stage."""
        yield from self._dependants[name]
        for followers in self._followers[self._jobs[name].stage_index + 1 :]:
            yield from followers
