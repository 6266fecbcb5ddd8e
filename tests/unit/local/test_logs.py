"""Which log a name means, and which logs following gives, from what a run's directory holds."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tracekeeper import events
from tracekeeper.errors import StorageError, UsageError
from tracekeeper.local import logs
from tracekeeper.local.data import DataDirectory, RunDirectory
from tracekeeper.local.logs import KeptLog, followed_logs, kept_logs

JOBS = ("build 1/2", "build 2/2", "test: [a]", "build", "deploy")


@pytest.fixture
def data(tmp_path: Path) -> DataDirectory:
    return DataDirectory.open(tmp_path / "data")


class Kept:
    """A run that goes on until it is unlocked."""

    def __init__(self, data: DataDirectory) -> None:
        self.directory, self.lock = data.new_run()
        self._ids: dict[str, int] = {}
        self.tell(
            events.RunStarted(
                run=self.directory.number,
                file="x",
                jobs=tuple(
                    events.PlannedJob(name=n, stage="t", when="always", allow_failure=False)
                    for n in JOBS
                ),
            )
        )

    def tell(self, event: events.Event) -> None:
        with self.directory.events.open("ab") as file:
            file.write(events.encode(event, at=0))

    def begin(self, name: str) -> None:
        self._ids[name] = number = len(list(self.directory.path.glob("jobs/*"))) + 1
        self.directory.new_job(number, name)
        self.tell(events.JobStarted(job=number, name=name, stage="t", attempt=1, executor="shell"))

    def finish(self, name: str) -> None:
        self.tell(events.JobFinished(job=self._ids[name], name=name, status="failed"))

    def unlock(self) -> None:
        os.close(self.lock)


@pytest.fixture
def run(data: DataDirectory) -> Kept:
    return Kept(data)


def names(found: list[KeptLog]) -> list[str]:
    return [log.name for log in found]


def test_a_name_means_its_job_or_else_its_instances(data: DataDirectory, run: Kept) -> None:
    run.unlock()
    for name in ("build 2/2", "build 1/2", "test: [a]"):
        run.begin(name)
    assert names(kept_logs(data)) == ["build 2/2", "build 1/2", "test: [a]"]
    assert names(kept_logs(data, job="build")) == ["build 2/2", "build 1/2"]
    assert names(kept_logs(data, job="test")) == ["test: [a]"]
    assert names(kept_logs(data, job="build 1/2")) == ["build 1/2"]
    run.begin("build")
    assert names(kept_logs(data, job="build")) == ["build"]


def test_the_latest_attempt_counts(data: DataDirectory, run: Kept) -> None:
    run.unlock()
    run.begin("deploy")
    run.begin("deploy")
    (log,) = kept_logs(data, job="deploy")
    assert log.directory.job_id == 2


def test_a_run_without_events_has_no_logs(data: DataDirectory, run: Kept) -> None:
    run.unlock()
    run.directory.events.unlink()
    with pytest.raises(UsageError, match="no log is kept"):
        kept_logs(data)


def test_a_log_is_growing_closed_or_cut_off(data: DataDirectory, run: Kept) -> None:
    run.begin("deploy")
    (log,) = kept_logs(data)
    assert (log.grows(), log.closed, log.result()) == (True, False, None)
    run.unlock()
    assert not log.grows()
    log.directory.result.write_text("{}")
    assert (log.grows(), log.closed) == (False, True)
    with pytest.raises(StorageError, match=r"the result of deploy in .* cannot be read"):
        log.result()


def following(monkeypatch: pytest.MonkeyPatch, *steps: object) -> None:
    """Each sleep of the follower takes the next step; there must be no further one."""
    rest: Iterator[object] = iter(steps)

    def sleep(_: float) -> None:
        step = next(rest)
        assert callable(step)
        step()

    monkeypatch.setattr(logs, "sleep", sleep)


def begin_the_last(run: Kept) -> None:
    run.begin("build 2/2")
    run.unlock()


def fail_once(run: Kept, job: str) -> None:
    run.finish(job)
    run.tell(events.JobRetried(name=job, attempt=2, failure_reason="script_failure"))


def test_following_a_run_gives_what_comes_until_its_end(
    data: DataDirectory, run: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    following(
        monkeypatch,
        lambda: run.begin("build 1/2"),
        lambda: None,
        lambda: run.begin("deploy"),
        lambda: begin_the_last(run),
    )
    assert names(list(followed_logs(data))) == ["build 1/2", "deploy", "build 2/2"]


def test_following_a_job_waits_for_it_and_its_attempts(
    data: DataDirectory, run: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.begin("build")
    following(
        monkeypatch,
        lambda: run.begin("deploy"),
        lambda: fail_once(run, "deploy"),
        lambda: run.begin("deploy"),
        lambda: run.finish("deploy"),
    )
    followed = [log.directory.job_id for log in followed_logs(data, job="deploy")]
    assert followed == [2, 3]
    run.unlock()


def test_following_all_instances_ends_with_the_last(
    data: DataDirectory, run: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.begin("test: [a]")
    following(monkeypatch, lambda: run.finish("test: [a]"))
    assert names(list(followed_logs(data, job="test"))) == ["test: [a]"]
    run.unlock()


@pytest.mark.parametrize("status", ["skipped", "canceled", "manual"])
def test_following_a_job_that_never_runs_ends_with_a_sentence(
    data: DataDirectory, run: Kept, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    event = events.JobStatus(name="deploy", status=status)  # type: ignore[arg-type]
    following(monkeypatch, lambda: run.tell(event))
    with pytest.raises(UsageError, match="there is no log of 'deploy' in run 1"):
        list(followed_logs(data, job="deploy"))
    run.unlock()


def test_following_what_has_ended_is_showing_it(data: DataDirectory, run: Kept) -> None:
    run.begin("deploy")
    run.unlock()
    assert names(list(followed_logs(data, job="deploy"))) == ["deploy"]
    with pytest.raises(UsageError):
        list(followed_logs(data, job="build"))


def test_following_a_job_that_the_run_lacks_shows_the_last_it_has(
    data: DataDirectory, run: Kept
) -> None:
    run.begin("deploy")
    run.unlock()
    newer = Kept(data)
    newer.directory.events.write_bytes(
        events.encode(events.RunStarted(run=2, file="x", jobs=()), at=0)
    )
    (log,) = followed_logs(data, job="deploy")
    assert log.run.number == 1
    newer.unlock()


def test_a_run_can_be_chosen(data: DataDirectory, run: Kept) -> None:
    run.begin("deploy")
    run.unlock()
    assert names(list(followed_logs(data, run=1))) == ["deploy"]
    assert isinstance(kept_logs(data, run=1)[0].run, RunDirectory)
    with pytest.raises(UsageError, match="run 2 is not kept"):
        kept_logs(data, run=2)
