"""`tracekeeper run` from its options to its exit status: directory, events, signals, clean-up."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tracekeeper import events
from tracekeeper.errors import StorageError, UsageError
from tracekeeper.local.attempt import RunContext, SnapshotSources
from tracekeeper.local.coordinator import ArtifactStore
from tracekeeper.local.data import DataDirectory, RunDirectory
from tracekeeper.local.executors import ExecutorChoice, Wanted
from tracekeeper.local.journal import EventJournal
from tracekeeper.local.leftovers import builds_directory, remove_leftovers, unfinished_runs
from tracekeeper.local.project import LocalProject
from tracekeeper.local.run import LocalRun
from tracekeeper.local.view import View
from tracekeeper.pipeline.pipeline import Pipeline
from tracekeeper.pipeline.selection import select
from tracekeeper.problems import Problem
from tracekeeper.runner import processes
from tracekeeper.runner.executors.shell import remove_tree
from tracekeeper.workspace.checkout import Snapshot

PASSED, FAILED, INTERRUPTED = 0, 1, 130
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class RunOptions(msgspec.Struct, frozen=True):
    """What `tracekeeper run` was asked for. `jobs` empty means all of them."""

    data: Path
    jobs: Sequence[str] = ()
    with_needs: bool = False
    executor: Wanted = "auto"
    docker_host: str = ""
    jobs_at_once: int = 2


def run_pipeline(project: LocalProject, options: RunOptions, view: View) -> int:
    """Run the pipeline of `project` and clean up after it; the exit status.

    Raises UsageError where there is nothing to run, StorageError where it cannot be kept.
    """
    pipeline = project.pipeline
    if not pipeline.jobs:
        raise UsageError(f"there is no pipeline to run: {pipeline.reason}")
    if options.jobs:
        pipeline = select(pipeline, options.jobs, with_needs=options.with_needs)
    processes.become_subreaper()
    data = DataDirectory.open(options.data)
    directory, lock = data.new_run()
    session = _Session(project, pipeline, options, view, data, directory)
    try:
        return asyncio.run(session.run())
    finally:
        session.clean_up()
        os.close(lock)


class _Session:
    def __init__(
        self,
        project: LocalProject,
        pipeline: Pipeline,
        options: RunOptions,
        view: View,
        data: DataDirectory,
        directory: RunDirectory,
    ) -> None:
        self._project = project
        self._pipeline = pipeline
        self._options = options
        self._view = view
        self._data = data
        self._directory = directory
        self._all_builds = builds_directory(data)
        self._builds = self._all_builds / str(directory.number)
        self._journal = EventJournal(directory.events)
        self._interrupted = False
        self._children = processes.children(os.getpid())

    async def run(self) -> int:
        """Run the pipeline; the exit status."""
        began = time.monotonic()
        self._begin()
        try:
            status = await self._run_jobs()
        except* StorageError as failures:
            raise failures.exceptions[0] from None
        exit_code = INTERRUPTED if self._interrupted else FAILED if status == "failed" else PASSED
        seconds = time.monotonic() - began
        self._emit(events.RunFinished(status=status, exit_code=exit_code, seconds=seconds))
        return exit_code

    def clean_up(self) -> None:
        """Remove what the run made outside its own directory."""
        self._journal.close()
        processes.end_strays(but=self._children)
        remove_tree(self._builds)

    def _begin(self) -> None:
        self._emit(_started(self._directory, self._project, self._pipeline))
        for run in unfinished_runs(self._data, self._all_builds):
            count = remove_leftovers(self._data, run, self._all_builds)
            self._warn(f"run {run.number} was killed; what it left is removed: {count} processes")
        for problem in self._pipeline.warnings:
            self._emit(_warned(problem))

    async def _run_jobs(self) -> str:
        snapshot = await asyncio.to_thread(
            Snapshot.take, self._project.root, self._builds / "snapshot"
        )
        for note in snapshot.notes:
            self._warn(note)
        run = LocalRun(
            self._context(snapshot),
            self._pipeline,
            jobs_at_once=self._options.jobs_at_once,
            emit=self._emit,
            view=self._view,
        )

        def interrupt() -> None:
            self._interrupted = True
            run.interrupt()

        with _on_signals(interrupt):
            return await run.run()

    def _context(self, snapshot: Snapshot) -> RunContext:
        jobs = self._pipeline.jobs.values()
        only_once = len(jobs) == 1 and not any(job.config.retry.max for job in jobs)
        return RunContext(
            project=self._project,
            data=self._data,
            directory=self._directory,
            builds=self._builds,
            snapshot=snapshot,
            sources=SnapshotSources(snapshot, consume=only_once),
            artifacts=ArtifactStore(),
            choice=ExecutorChoice(self._options.executor, self._options.docker_host),
            docker_host=self._options.docker_host,
        )

    def _emit(self, event: events.Event) -> None:
        at = time.time_ns() // 1000
        self._journal.write(event, at)
        self._view.event(event, at)

    def _warn(self, message: str) -> None:
        self._emit(events.Warned(message=message))


def _started(
    directory: RunDirectory, project: LocalProject, pipeline: Pipeline
) -> events.RunStarted:
    return events.RunStarted(
        run=directory.number,
        file=project.file,
        jobs=tuple(
            events.PlannedJob(
                name=job.name,
                stage=job.stage,
                when=job.when,
                allow_failure=job.allow_failure.allowed,
                needs=None if job.needs is None else tuple(need.job for need in job.needs),
            )
            for job in pipeline.jobs.values()
        ),
    )


def _warned(problem: Problem) -> events.Warned:
    return events.Warned(
        message=problem.message,
        code=problem.code,
        file=problem.at.file,
        line=problem.at.line,
        column=problem.at.column,
    )


@contextmanager
def _on_signals(callback: Callable[[], None]) -> Iterator[None]:
    """Call `callback` in the event loop on Ctrl-C and SIGTERM."""
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, callback)
    try:
        yield
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
