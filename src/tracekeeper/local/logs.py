"""Kept logs: which there are, and following one that is still written."""

import msgspec

from tracekeeper import events
from tracekeeper.errors import StorageError, UsageError
from tracekeeper.local.data import DataDirectory, JobDirectory, RunDirectory
from tracekeeper.local.journal import read_events
from tracekeeper.pipeline.nearest import did_you_mean
from tracekeeper.runner.job import JobResult


class KeptLog(msgspec.Struct, frozen=True):
    """The log of the latest attempt at a job of one run."""

    run: RunDirectory
    name: str
    directory: JobDirectory

    def result(self) -> JobResult | None:
        """How the attempt ended; None while it goes on, or where it was killed.

        Raises StorageError where the file cannot be read.
        """
        try:
            return msgspec.json.decode(self.directory.result.read_bytes(), type=JobResult)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            raise StorageError(
                f"the result of {self.name} in {self.directory.path} cannot be read: {error}"
            ) from error

    def grows(self) -> bool:
        """Whether the trace may still grow."""
        return not self.directory.result.exists() and self.run.locked()


def kept_logs(data: DataDirectory, *, job: str = "", run: int = 0) -> list[KeptLog]:
    """The logs of run number `run`, else of the newest run that has them, in order of their start;
    with `job` only that job's. Raises UsageError where there is none."""
    runs = [data.run(run)] if run else list(reversed(data.runs()))
    known: list[str] = []
    for directory in runs:
        logs = _logs(directory)
        if found := [log for log in logs if not job or log.name == job]:
            return found
        known += [log.name for log in logs]
    if not job:
        raise UsageError(f"no log is kept in {data.path}", hint="`tracekeeper run` makes one")
    where = f"run {run}" if run else "any run"
    raise UsageError(f"there is no log of '{job}' in {where}", hint=did_you_mean(job, known))


def _logs(run: RunDirectory) -> list[KeptLog]:
    """The latest attempt at each job that has begun."""
    logs: dict[str, KeptLog] = {}
    if not run.events.exists():
        return []
    for event in read_events(run.events):
        if isinstance(event, events.JobStarted) and (directory := run.job(event.job)):
            logs[event.name] = KeptLog(run, event.name, directory)
    return list(logs.values())
