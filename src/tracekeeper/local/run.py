"""One pipeline, run here and now: the schedule decides, jobs run side by side, events tell it.

Everything happens in one event loop. Each job is a task of this run's task group; an interrupt
reaches the jobs through `Attempt.cancel`, so that after_script and cleanup still happen.
"""

import asyncio
import itertools
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

import tracekeeper
from tracekeeper import events
from tracekeeper.errors import JobError, StorageError, TracekeeperError
from tracekeeper.jobs.facts import JobFacts
from tracekeeper.jobs.payload import artifact_sources, resource_group
from tracekeeper.local.attempt import Attempt, RunContext, new_payload
from tracekeeper.local.data import JOBS_PER_RUN, JobDirectory
from tracekeeper.local.executors import shortcomings
from tracekeeper.local.record import read_record
from tracekeeper.local.replay import Past, replay
from tracekeeper.local.view import View
from tracekeeper.pipeline.pipeline import Job, Pipeline
from tracekeeper.pipeline.schedule import Change, Schedule
from tracekeeper.pipeline.status import Status
from tracekeeper.protocol.payload import Dependency, JobPayload
from tracekeeper.runner.defects import sentence
from tracekeeper.runner.job import SYSTEM_FAILURE, JobResult


class LocalRun:
    """Runs `pipeline`, at most `jobs_at_once` jobs side by side.

    `emit` gets every event in order, `view` the traces. Both must not block.
    """

    def __init__(
        self,
        context: RunContext,
        pipeline: Pipeline,
        *,
        jobs_at_once: int,
        emit: Callable[[events.Event], None],
        view: View,
    ) -> None:
        self._context = context
        self._pipeline = pipeline
        self._jobs_at_once = jobs_at_once
        self._emit = emit
        self._view = view
        self._schedule = Schedule(pipeline, resource_groups=self._resource_groups())
        self._running: dict[str, Attempt] = {}
        self._slots: set[int] = set()
        self._ids: dict[str, int] = {}
        self._last_id = context.directory.number * JOBS_PER_RUN
        self._wake = asyncio.Event()
        self._interrupts = 0
        self._past: Past | None = None
        self.is_clean = True
        """Whether nothing is left on an engine of the jobs that have ended."""
        self.kept: list[str] = []
        """The jobs whose containers are kept."""

    def take_up(self, told: Iterable[events.AnyEvent]) -> Past | None:
        """Begin where another process was killed, of which `told` are the events: what had become
        of the run until then; None if it had not begun. `run` comes after it."""
        skew = time.time() - _clock()
        self._past = past = replay(told, self._schedule, lambda at: events.seconds(at) - skew)
        self._last_id = self._context.directory.last_id()
        if past is not None:
            self._ids = past.ids
        return past

    def interrupt(self) -> None:
        """Stop: the first call lets scripts end politely, the second stops them at once."""
        self._interrupts += 1
        if self._interrupts == 1:
            self._tell(self._schedule.cancel_all())
        for attempt in self._running.values():
            attempt.cancel()
        self._wake.set()

    async def run(self) -> Status:
        """Run everything that may run; the pipeline's status in the end."""
        past = self._past
        self._tell(() if past else self._schedule.begin(_clock()))
        async with asyncio.TaskGroup() as group:
            for again in past.running.values() if past else ():
                self._start(group, again.name, again.attempt, again)
            while self._slots or not self._schedule.is_over:
                for name in self._startable():
                    self._begin(name, group)
                await self._something_happens()
                self._tell(self._schedule.advance(_clock()))
        return self._schedule.status

    def _startable(self) -> Sequence[str]:
        free = self._jobs_at_once - len(self._slots)
        return self._schedule.pending[: max(0, free)]

    async def _something_happens(self) -> None:
        """Wait until a job has ended, an interrupt came, or a delayed job is due."""
        due = self._schedule.next_due
        try:
            async with asyncio.timeout(None if due is None else max(0.0, due - _clock())):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    def _begin(self, name: str, group: asyncio.TaskGroup) -> None:
        """Take a pending job and start an attempt at it."""
        (started,) = self._schedule.started(name)
        self._start(group, name, started.attempt)

    def _start(
        self,
        group: asyncio.TaskGroup,
        name: str,
        number: int,
        again: events.JobStarted | None = None,
    ) -> None:
        slot = next(number for number in itertools.count() if number not in self._slots)
        self._slots.add(slot)
        group.create_task(self._attempt_job(self._pipeline.jobs[name], slot, number, again))

    async def _attempt_job(
        self, job: Job, slot: int, number: int, again: events.JobStarted | None
    ) -> None:
        """Run an attempt to its end, or take it up; whatever goes wrong is that attempt's failure.
        What follows on it need not wait until it is cleaned up."""
        began = _clock() - (time.time() - events.seconds(again.time) if again else 0.0)
        self._last_id += not again
        self._ids[job.name] = job_id = again.job if again else self._last_id
        try:
            try:
                if again:
                    ended = await self._take_up_attempt(job, slot, again)
                else:
                    ended = await self._run_attempt(job, job_id, slot, number)
            except Exception as error:
                ended = self._failure(job, job_id, error)
            self._end(job, msgspec.structs.replace(ended, seconds=_clock() - began))
        finally:
            attempt = self._running.pop(job.name, None)
            self._wake.set()
            await self._clean_up(attempt)
            self._slots.remove(slot)
            self._wake.set()

    async def _clean_up(self, attempt: Attempt | None) -> None:
        if attempt is None:
            return
        if trouble := await attempt.clean_up():
            self.is_clean = False
            self._emit(events.Warned(message=trouble, name=attempt.job.name))
        if attempt.is_kept and attempt.job.name not in self.kept:
            self.kept.append(attempt.job.name)

    async def _run_attempt(
        self, job: Job, job_id: int, slot: int, number: int
    ) -> events.JobFinished:
        payload = self._new_payload(job, job_id)
        directory = self._context.directory.new_job(job_id, job.name)
        attempt = self._attempt(job, payload, directory, number, slot)
        choice = await self._context.choice.choose(attempt.payload)
        for shortcoming in shortcomings(choice, attempt.payload):
            self._emit(events.Warned(message=shortcoming, name=job.name))
        attempt.begin(choice)
        self._view.follow(attempt)
        self._emit(
            events.JobStarted(
                job=job_id,
                name=job.name,
                stage=job.stage,
                attempt=number,
                executor=choice.executor,
                why=choice.why,
            )
        )
        return await self._kept(attempt, await attempt.run())

    async def _take_up_attempt(
        self, job: Job, slot: int, again: events.JobStarted
    ) -> events.JobFinished:
        directory = self._context.directory.job(again.job)
        payload = read_record(directory.payload, JobPayload) if directory else None
        if directory is None or payload is None:
            raise StorageError(
                f"what was kept of {job.name} is gone from {self._context.data.path}"
            )
        attempt = self._attempt(job, payload, directory, again.attempt, slot)
        result = read_record(directory.result, JobResult)
        if result is None:
            await asyncio.to_thread(attempt.recover, again.executor)
            self._view.follow(attempt)
            silent = round(attempt.silent, 3)
            resumed = events.JobResumed(
                job=again.job, name=job.name, attempt=again.attempt, silent=silent
            )
            self._emit(resumed)
            result = await attempt.take_up()
        return await self._kept(attempt, result)

    async def _kept(self, attempt: Attempt, result: JobResult) -> events.JobFinished:
        ended = _finished(attempt, result)
        try:
            attempt.directory.keep_result(result)
            attempt.directory.payload.unlink(missing_ok=True)
            return msgspec.structs.replace(ended, coverage=await _coverage(attempt))
        except TracekeeperError as error:
            self._emit(events.Warned(message=error.message, name=attempt.job.name))
            return ended

    def _failure(self, job: Job, job_id: int, error: Exception) -> events.JobFinished:
        """What becomes of an attempt that could not begin, or met a defect of ours."""
        details = self._context.directory.path / f"defect-{job_id}.txt"
        return events.JobFinished(
            job=job_id,
            name=job.name,
            status="failed",
            failure_reason=error.reason if isinstance(error, JobError) else SYSTEM_FAILURE,
            message=sentence(error, details),
        )

    def _resource_groups(self) -> dict[str, str]:
        project = self._context.project
        return {
            name: resource_group(job, project.facts, project.overrides)
            for name, job in self._pipeline.jobs.items()
            if job.config.resource_group
        }

    def _new_payload(self, job: Job, job_id: int) -> JobPayload:
        facts = JobFacts(
            id=job_id,
            started_at=int(time.time()),
            token=os.urandom(16).hex(),
            runner_description="tracekeeper run",
            runner_version=tracekeeper.__version__,
            architecture=_architecture(),
        )
        earlier = (name for name in artifact_sources(job, self._pipeline) if name in self._ids)
        dependencies = [Dependency(self._ids[name], name) for name in earlier]
        return new_payload(self._context, job, facts, dependencies)

    def _attempt(
        self, job: Job, payload: JobPayload, directory: JobDirectory, number: int, slot: int
    ) -> Attempt:
        attempt = Attempt(
            self._context,
            job,
            payload,
            directory,
            number=number,
            slot=slot,
            changed=self._view.changed,
            emit=self._emit,
        )
        self._running[job.name] = attempt
        for _ in range(self._interrupts):
            attempt.cancel()
        return attempt

    def _end(self, job: Job, ended: events.JobFinished) -> None:
        """Tell the schedule how an attempt ended, and everybody what follows."""
        name = job.name
        if ended.status == "canceled" and self._schedule.statuses[name] == "running":
            self._tell(self._schedule.cancel(name, _clock()))
        _, *following = self._schedule.finished(
            name, _clock(), failure_reason=ended.failure_reason, exit_code=ended.exit_code
        )
        allowed = self._schedule.may_fail(name)
        self._emit(msgspec.structs.replace(ended, allow_failure=allowed))
        self._tell(following, ended.failure_reason)

    def _tell(self, changes: Iterable[Change], failure_reason: str = "") -> None:
        for change in changes:
            for event in _change_events(change, failure_reason):
                self._emit(event)


def _change_events(change: Change, failure_reason: str) -> Iterator[events.Event]:
    """What a change of status is among events; starts and ends of attempts are told elsewhere."""
    if change.status == "pending" and change.attempt > 1:
        yield events.JobRetried(
            name=change.job, attempt=change.attempt, failure_reason=failure_reason
        )
    told = change.status
    if told != "created" and told != "running" and told != "success" and told != "failed":
        yield events.JobStatus(name=change.job, status=told)


def _finished(attempt: Attempt, result: JobResult) -> events.JobFinished:
    last = result.ledger.hops[-1]
    return events.JobFinished(
        job=attempt.id,
        name=attempt.job.name,
        status=result.status,
        exit_code=result.exit_code,
        failure_reason=result.failure_reason,
        message=result.message,
        bytes=last.bytes,
        checksum=last.checksum,
        verdict=result.ledger.verdict,
        verdict_reason=result.ledger.reason,
    )


async def _coverage(attempt: Attempt) -> float | None:
    pattern = attempt.job.config.coverage
    if not pattern:
        return None
    from tracekeeper.local.coverage import coverage

    return await asyncio.to_thread(coverage, attempt.directory.trace, pattern)


def _clock() -> float:
    return time.monotonic()


def _architecture() -> str:
    """This machine by the names that GitLab's runner has for it, which are Go's."""
    machine = os.uname().machine
    names = {"x86_64": "amd64", "aarch64": "arm64", "i686": "386", "armv7l": "arm"}
    return f"{sys.platform}/{names.get(machine, machine)}"
