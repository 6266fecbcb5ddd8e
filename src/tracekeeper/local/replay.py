"""The events of a run that was killed, told to a schedule once more. Pure."""

from collections.abc import Callable, Iterable, Iterator

import msgspec

from tracekeeper import events
from tracekeeper.pipeline.schedule import Schedule
from tracekeeper.pipeline.status import COMPLETED

STOPPED = ("canceling", "canceled")


class Past(msgspec.Struct):
    """What had become of a run. `ids` are those of the latest attempt at each job, `running` the
    attempts that had not ended, `finished` those that had. `statuses` are of jobs that do not run.
    """

    started: events.RunStarted
    ids: dict[str, int] = {}
    running: dict[str, events.JobStarted] = {}
    finished: dict[str, events.JobFinished] = {}
    statuses: list[events.JobStatus] = []
    interrupted: bool = False


def replay(
    told: Iterable[events.AnyEvent], schedule: Schedule, clock: Callable[[str], float]
) -> Past | None:
    """Bring `schedule`, on which nothing has happened, to where the run was; None if the run had
    not begun. `clock` gives the time of an event on the schedule's clock."""
    past: Past | None = None
    for event in told:
        now = clock(event.time)
        if isinstance(event, events.RunStarted):
            past = Past(event)
            schedule.begin(now)
        elif past is None:
            continue
        elif isinstance(event, events.JobStarted):
            schedule.advance(now)
            schedule.started(event.name)
            past.ids[event.name] = event.job
            past.running[event.name] = event
        elif isinstance(event, events.JobFinished):
            _finish(event, past, schedule, now)
        elif isinstance(event, events.JobStatus):
            schedule.advance(now)
            if event.status in STOPPED and not _is_stopped(schedule, event.name):
                past.interrupted = True
                schedule.cancel_all()
    if past is not None:
        past.statuses = list(_statuses(schedule))
    return past


def _finish(event: events.JobFinished, past: Past, schedule: Schedule, now: float) -> None:
    schedule.advance(now)
    if schedule.statuses[event.name] == "pending":  # the attempt could not begin
        schedule.started(event.name)
    schedule.finished(
        event.name, now, failure_reason=event.failure_reason, exit_code=event.exit_code
    )
    past.ids[event.name] = event.job
    past.running.pop(event.name, None)
    past.finished[event.name] = event


def _is_stopped(schedule: Schedule, job: str) -> bool:
    status = schedule.statuses[job]
    return status in STOPPED or status in COMPLETED


def _statuses(schedule: Schedule) -> Iterator[events.JobStatus]:
    for name, status in schedule.statuses.items():
        if (
            status != "created"
            and status != "running"
            and status != "success"
            and status != "failed"
        ):
            yield events.JobStatus(name=name, status=status)
