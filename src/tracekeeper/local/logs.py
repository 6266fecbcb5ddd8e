"""Kept logs: which there are, and following those that are still written."""

import re
from collections.abc import Iterable, Iterator, Sequence
from time import sleep
from typing import TYPE_CHECKING

import msgspec

from tracekeeper import events
from tracekeeper.errors import StorageError, UsageError
from tracekeeper.local.data import DataDirectory, JobDirectory, RunDirectory
from tracekeeper.local.journal import read_events
from tracekeeper.pipeline.nearest import did_you_mean

if TYPE_CHECKING:
    from tracekeeper.runner.job import JobResult

POLL = 0.2
"""Seconds between looks at what another process writes."""


class KeptLog(msgspec.Struct, frozen=True):
    """The log of the latest attempt at a job of one run."""

    run: RunDirectory
    name: str
    directory: JobDirectory

    @property
    def closed(self) -> bool:
        """Whether the attempt has ended and its trace is whole."""
        return self.directory.result.exists()

    def result(self) -> "JobResult | None":
        """How the attempt ended; None while it goes on, or where it was killed.

        Raises StorageError where the file cannot be read.
        """
        from tracekeeper.runner.job import JobResult  # it needs asyncio, which is slow to load

        try:
            return msgspec.json.decode(self.directory.result.read_bytes(), type=JobResult)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            raise StorageError(
                f"the result of {self.name} in {self.directory.path} cannot be read: {error}"
            ) from error

    def connections(self) -> list[events.ConnectionEvent]:
        """What was told of the job's connection to its Docker Engine."""
        return [
            event
            for event in _events(self.run)
            if isinstance(event, events.ConnectionEvent) and event.job == self.directory.job_id
        ]

    def grows(self) -> bool:
        """Whether the trace may still grow."""
        return self.run.locked() and not self.closed


def kept_logs(data: DataDirectory, *, job: str = "", run: int = 0) -> list[KeptLog]:
    """The logs of run number `run`, else of the newest run that has them, in order of their start;
    with `job` only that job's, or those of its instances. Raises UsageError where there is none."""
    runs = [data.run(run)] if run else list(reversed(data.runs()))
    known: set[str] = set()
    for directory in runs:
        logs = _logs(directory)
        if found := _named(job, logs):
            return found
        known |= {log.name for log in logs}
    if not job:
        raise UsageError(f"no log is kept in {data.path}", hint="`tracekeeper run` makes one")
    where = f"run {run}" if run else "any run"
    raise UsageError(
        f"there is no log of '{job}' in {where}", hint=did_you_mean(job, sorted(known))
    )


def followed_logs(data: DataDirectory, *, job: str = "", run: int = 0) -> Iterator[KeptLog]:
    """Like `kept_logs`, and then those that come, each once, as long as the run goes on or, with
    `job`, as long as that job can have further attempts. Waits for a job that is planned.

    Raises UsageError where there is none in the end."""
    directory = data.run(run) if run else max(data.runs(), key=lambda run: run.number, default=None)
    if directory is None or not directory.locked() or not _plans(directory, job):
        yield from kept_logs(data, job=job, run=run)
        return
    shown: set[int] = set()
    goes_on = True
    while goes_on:
        goes_on = directory.locked() and not _is_over(directory, job)
        for log in _named(job, _logs(directory)):
            if log.directory.job_id not in shown:
                shown.add(log.directory.job_id)
                yield log
        if goes_on:
            sleep(POLL)
    if not shown:
        yield from kept_logs(data, job=job, run=directory.number)


def logs_of(run: RunDirectory, job: str, *, every_attempt: bool = False) -> list[KeptLog]:
    """The logs of `job`, or of its instances, in one run."""
    return _named(job, list(_attempts(run)) if every_attempt else _logs(run))


def _named(job: str, logs: Sequence[KeptLog]) -> list[KeptLog]:
    exact = [log for log in logs if not job or log.name == job]
    return exact or [log for log in logs if _is_instance(log.name, job)]


def _is_instance(name: str, job: str) -> bool:
    """Whether `name` is an instance of the parallel job `job`: ``job 1/2`` or ``job: [a, b]``."""
    return re.fullmatch(re.escape(job) + r"( \d+/\d+|: \[.*\])", name, re.DOTALL) is not None


def _matches(name: str, job: str) -> bool:
    return not job or name == job or _is_instance(name, job)


def _plans(run: RunDirectory, job: str) -> bool:
    """Whether `job`, or any if it is empty, is a job of `run`."""
    return any(
        _matches(planned.name, job)
        for event in _events(run)
        if isinstance(event, events.RunStarted)
        for planned in event.jobs
    )


def _is_over(run: RunDirectory, job: str) -> bool:
    """Whether everything that matches `job` has come to its end."""
    if not job:
        return False
    ended: dict[str, bool] = {}
    for event in _events(run):
        if isinstance(event, events.RunStarted):
            ended = {each.name: False for each in event.jobs if _matches(each.name, job)}
        elif isinstance(event, events.JobFinished | events.JobRetried) and event.name in ended:
            ended[event.name] = isinstance(event, events.JobFinished)
        elif isinstance(event, events.JobStatus) and event.name in ended:
            ended[event.name] = event.status in ("skipped", "canceled", "manual")
    return all(ended.values())


def _logs(run: RunDirectory) -> list[KeptLog]:
    """The latest attempt at each job that has begun."""
    return list({log.name: log for log in _attempts(run)}.values())


def _attempts(run: RunDirectory) -> Iterator[KeptLog]:
    """The log of every attempt at a job that has begun, in order."""
    for event in _events(run):
        if isinstance(event, events.JobStarted) and (directory := run.job(event.job)):
            yield KeptLog(run, event.name, directory)


def _events(run: RunDirectory) -> Iterable[events.AnyEvent]:
    return read_events(run.events) if run.events.exists() else ()
