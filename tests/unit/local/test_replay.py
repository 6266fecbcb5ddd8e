"""The events of a run, told to a schedule once more, lead to where the run was."""

from collections.abc import Sequence

import pytest

from tracekeeper import events
from tracekeeper.local.replay import Past, replay
from tracekeeper.pipeline.config import JobConfig, Retry, When
from tracekeeper.pipeline.pipeline import Job, JobNeed, Pipeline
from tracekeeper.pipeline.schedule import Schedule
from tracekeeper.problems import Position

TIME = "2026-11-23T02:00:{:02}.000000Z"
WARNED = events.Warned(time=TIME.format(1), message="m")
STARTED = events.RunStarted(time=TIME.format(0), run=1, file="f", jobs=())


def job(
    name: str,
    stage: int = 0,
    when: When = "on_success",
    needs: tuple[JobNeed, ...] | None = None,
    start_in: int = 0,
) -> Job:
    config = JobConfig(name, Position("f", 1, 1), retry=Retry(max=1))
    return Job(name, config, stage, when, start_in=start_in, needs=needs)


PIPELINE = Pipeline(
    ("build", "test"),
    {
        each.name: each
        for each in (
            job("build"),
            job("other"),
            job("late", 1, when="delayed", start_in=10),
            job("play", 1, when="manual"),
            job("quick", 1, needs=(JobNeed("build"),)),
        )
    },
)


def started(name: str, at: int, attempt: int = 1) -> events.JobStarted:
    return events.JobStarted(
        time=TIME.format(at),
        job=len(name) * 10 + attempt,
        name=name,
        stage="s",
        attempt=attempt,
        executor="docker",
    )


def finished(name: str, at: int, reason: str = "", attempt: int = 1) -> events.JobFinished:
    return events.JobFinished(
        time=TIME.format(at),
        job=len(name) * 10 + attempt,
        name=name,
        status="failed" if reason else "success",
        failure_reason=reason,
    )


def told(name: str, status: str, at: int) -> events.JobStatus:
    return events.JobStatus(time=TIME.format(at), name=name, status=status)  # type: ignore[arg-type]


def replayed(*happened: events.AnyEvent) -> tuple[Past, Schedule]:
    schedule = Schedule(PIPELINE)
    past = replay([STARTED, *happened], schedule, lambda at: float(at[17:19]))
    assert past is not None
    return past, schedule


def statuses(past: Past) -> Sequence[tuple[str, str]]:
    return [(status.name, status.status) for status in past.statuses]


def test_a_run_that_had_not_begun() -> None:
    assert replay([WARNED], Schedule(PIPELINE), lambda _: 0.0) is None


def test_what_runs_and_what_has_ended() -> None:
    build, other = started("build", 1), started("other", 1)
    past, schedule = replayed(build, other, WARNED, finished("build", 2))
    assert past.started == STARTED
    assert past.running == {"other": other}
    assert past.finished == {"build": finished("build", 2)}
    assert past.ids == {"build": 51, "other": 51}
    assert schedule.statuses["build"] == "success"
    assert schedule.pending == ("quick",)
    assert not past.interrupted


def test_an_attempt_that_was_tried_again() -> None:
    again = started("build", 4, attempt=2)
    past, schedule = replayed(started("build", 1), finished("build", 3, "script_failure"), again)
    assert past.running == {"build": again}
    assert past.ids["build"] == 52
    assert schedule.statuses["build"] == "running"


def test_an_attempt_that_could_not_begin() -> None:
    past, schedule = replayed(finished("build", 1, "runner_system_failure"))
    assert past.running == {}
    assert schedule.pending == ("build", "other")


def test_what_was_untold_is_known() -> None:
    past, schedule = replayed(
        started("build", 1), finished("build", 2), started("other", 1), finished("other", 5)
    )
    assert statuses(past) == [("late", "scheduled"), ("play", "manual"), ("quick", "pending")]
    assert schedule.next_due == 15


def test_a_delayed_job_whose_time_had_come() -> None:
    past, schedule = replayed(
        started("build", 1),
        finished("build", 2),
        started("other", 1),
        finished("other", 5),
        told("late", "pending", 16),
        started("late", 17),
    )
    assert list(past.running) == ["late"]
    assert schedule.next_due is None


@pytest.mark.parametrize("status", ["canceled", "canceling"])
def test_a_run_that_was_interrupted(status: str) -> None:
    name = "build" if status == "canceling" else "play"
    past, schedule = replayed(
        started("build", 1), told(name, status, 2), told("late", "canceled", 2)
    )
    assert past.interrupted
    assert schedule.statuses["build"] == "canceling"
    assert list(past.running) == ["build"]
