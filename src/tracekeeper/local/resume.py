"""`tracekeeper run --resume`: going on with a run whose process was killed.

The events of the run are told to its schedule once more. What has ended keeps its result. A job
whose container was started is followed on from what its journal says; every other one that was
begun has died with the run, and has failed for it. Whoever holds the run's lock may do this, so
that a process which is killed in it can be followed by yet another one.
"""

import asyncio
import os
import time
from pathlib import Path

import msgspec

from tracekeeper import events
from tracekeeper.errors import EngineError, StorageError, UsageError, WorkspaceError
from tracekeeper.local.data import DataDirectory, RunDirectory
from tracekeeper.local.journal import read_events
from tracekeeper.local.leftovers import (
    SNAPSHOT,
    builds_directory,
    clear_for_resume,
    is_followed,
)
from tracekeeper.local.project import LocalProject
from tracekeeper.local.record import RunRecord, read_record
from tracekeeper.local.replay import Past
from tracekeeper.local.session import RunOptions, Session, is_for_one
from tracekeeper.local.view import View
from tracekeeper.runner import processes
from tracekeeper.workspace.checkout import Snapshot


def resume_run(data: DataDirectory, view: View) -> int:
    """Take up the newest run that was killed, and bring it to its end; the exit status.

    Raises UsageError where there is none, EngineError where the containers cannot be reached now:
    the run can be taken up later then.
    """
    directory, lock = _take_killed(data)
    try:
        record = read_record(directory.record, RunRecord)
        if record is None:
            raise UsageError(
                f"run {directory.number} cannot be taken up: {directory.record} cannot be read",
                hint="run the pipeline again",
            )
        processes.become_subreaper()
        told = list(read_events(directory.events))
        return asyncio.run(_resumed(record, told, view, data, directory))
    finally:
        os.close(lock)


def _take_killed(data: DataDirectory) -> tuple[RunDirectory, int]:
    """The newest run that was killed, and the descriptor that holds its lock."""
    going_on = ""
    for run in reversed(data.runs()):
        if not run.record.exists():
            continue
        lock = run.take()
        if lock is None:
            going_on = going_on or f"run {run.number} still goes on"
        elif run.record.exists():  # it may have ended well just now
            return run, lock
        else:
            os.close(lock)
    raise UsageError(
        f"there is nothing to take up in {data.path}: no run was killed",
        hint=going_on or "`tracekeeper run` starts a run",
    )


async def _resumed(
    record: RunRecord,
    told: list[events.AnyEvent],
    view: View,
    data: DataDirectory,
    directory: RunDirectory,
) -> int:
    builds = builds_directory(data)
    snapshot = _reopened(record, builds / str(directory.number) / SNAPSHOT)
    if directory.engine is not None:
        await _await_engine(record, view)
    followed = [job.job_id for job in directory.jobs() if is_followed(job)]
    await clear_for_resume(data, directory, builds, followed)
    project = LocalProject.restored(
        record.root,
        file=record.file,
        overrides=record.overrides,
        facts=record.facts,
        pipeline=record.pipeline,
    )
    session = _ResumedSession(
        project, record.pipeline, _options(record, data), view, data, directory
    )
    return await session.take_up(snapshot, told)


def _reopened(record: RunRecord, path: Path) -> Snapshot:
    """The copy of the project, for jobs that have not begun. Raises StorageError."""
    jobs = record.pipeline.jobs.values()
    if not path.exists() and is_for_one(jobs):  # it may have gone to the only job there was
        return Snapshot(path, (), (), ())
    return Snapshot.reopen(path, record.git_directories)


async def _await_engine(record: RunRecord, view: View) -> None:
    """Wait for the engine, as long as a job would."""
    from tracekeeper.engine.client import Engine
    from tracekeeper.runner.executors.standing import reach

    try:
        engine = await Engine.connect(record.host)
    except EngineError as error:
        message = f"{error.message}; waiting up to {record.host.patience:.0f} s for it"
        view.event(events.Warned(message=message), time.time_ns() // 1000)
        engine = await reach(record.host)
    engine.close()


def _options(record: RunRecord, data: DataDirectory) -> RunOptions:
    docker = None
    if record.docker is not None:
        from tracekeeper.runner.docker.config import DockerSettings

        docker = msgspec.convert(record.docker, DockerSettings)
    return RunOptions(
        data=data.path,
        executor=record.executor,
        host=record.host,
        engine_named_by=record.engine_named_by,
        docker=docker,
        jobs_at_once=record.jobs_at_once,
        keep=record.keep,
    )


class _ResumedSession(Session):
    async def take_up(self, snapshot: Snapshot, told: list[events.AnyEvent]) -> int:
        """Bring the run to its end; the exit status."""
        self._snapshot, self._told = snapshot, told
        self._age = time.time() - events.seconds(told[0].time) if told else 0.0
        return await self.run()

    async def _begin_and_run(self) -> str:
        choice = self._choice()
        await choice.get_ready(self._pipeline)
        self._run = run = self._local_run(self._snapshot, choice, consume=False)
        past = run.take_up(self._told)
        if past is None:
            raise StorageError(f"{self._directory.events} is damaged: it does not begin with a run")
        self._tell(past)
        for job_id in past.ids.values():
            self._restore_artifacts(job_id)
        if past.interrupted:
            self._interrupt()
        return await run.run()

    def _tell(self, past: Past) -> None:
        finished = tuple(past.finished.values())
        began = past.started
        self._emit(
            events.RunResumed(run=began.run, file=began.file, jobs=began.jobs, finished=finished)
        )
        for status in past.statuses:
            self._emit(status)

    def _restore_artifacts(self, job_id: int) -> None:
        if job := self._directory.job(job_id):
            try:
                self._artifacts.restore(job)
            except WorkspaceError as error:
                self._warn(f"a report of job {job_id} cannot be read: {error.message}")
