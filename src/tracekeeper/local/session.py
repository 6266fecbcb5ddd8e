"""`tracekeeper run` from its options to its exit status: directory, events, signals, clean-up."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tracekeeper import events
from tracekeeper.engine.caution import cautions
from tracekeeper.engine.host import Host
from tracekeeper.engine.hosts import LOCAL_SOCKET
from tracekeeper.errors import StorageError, TracekeeperError, UsageError
from tracekeeper.jobs.payload import artifact_sources
from tracekeeper.local.attempt import RunContext
from tracekeeper.local.coordinator import ArtifactStore
from tracekeeper.local.data import DataDirectory, RunDirectory
from tracekeeper.local.executors import ExecutorChoice, Wanted
from tracekeeper.local.journal import EventJournal
from tracekeeper.local.keeping import Keep
from tracekeeper.local.leftovers import SNAPSHOT, builds_directory, remove_all_leftovers
from tracekeeper.local.project import LocalProject
from tracekeeper.local.record import RunRecord, write_record
from tracekeeper.local.run import LocalRun
from tracekeeper.local.sources import SnapshotSources
from tracekeeper.local.view import View
from tracekeeper.pipeline.pipeline import Job, Pipeline
from tracekeeper.problems import Problem
from tracekeeper.runner import processes
from tracekeeper.workspace.checkout import Snapshot
from tracekeeper.workspace.project import OWN_DIRECTORY
from tracekeeper.workspace.trees import remove_tree

if TYPE_CHECKING:
    from tracekeeper.runner.docker.config import DockerSettings

PASSED, FAILED, INTERRUPTED = 0, 1, 130
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, a polite kill, a closed terminal."""


NOT_KEPT = "what happens from here on is not kept: the disk refuses; `tracekeeper logs` lacks it"


INTERRUPTED_ONCE = (
    "stopping: scripts are ended, after_script still runs; Ctrl-C again stops everything at once"
)
INTERRUPTED_AGAIN = "stopping everything at once; only what the run made is still removed"

NOTHING_TO_KEEP = "--keep-containers has no effect: jobs of the shell executor have no container"


class RunOptions(msgspec.Struct, frozen=True):
    """What `tracekeeper run` was asked for. `jobs` empty means all of them; `engine_named_by` is
    the option that named `host`, if one did; `docker` are settings from a file, `warnings`
    sentences on what of the options has no effect."""

    data: Path
    jobs: Sequence[str] = ()
    with_needs: bool = False
    executor: Wanted = "auto"
    host: Host = Host(LOCAL_SOCKET)
    engine_named_by: str = ""
    docker: "DockerSettings | None" = None
    warnings: Sequence[str] = ()
    jobs_at_once: int = 2
    keep: Keep = Keep()


def run_pipeline(project: LocalProject, options: RunOptions, view: View) -> int:
    """Run the pipeline of `project` and clean up after it; the exit status.

    Raises UsageError where there is nothing to run, StorageError where it cannot be kept.
    """
    pipeline = project.pipeline
    if not pipeline.jobs:
        raise UsageError(f"there is no pipeline to run: {pipeline.reason}")
    if options.jobs:
        pipeline = project.select(options.jobs, with_needs=options.with_needs)
    processes.become_subreaper()
    data = DataDirectory.open(options.data)
    directory, lock = data.new_run()
    try:
        return asyncio.run(Session(project, pipeline, options, view, data, directory).run())
    finally:
        os.close(lock)


def is_for_one(jobs: Collection[Job]) -> bool:
    """Whether only one attempt at one job will want the project."""
    return len(jobs) == 1 and not any(job.config.retry.max for job in jobs)


def missing_artifacts(whole: Pipeline, chosen: Pipeline) -> Iterator[str]:
    """Sentences on the jobs of `chosen` that get artifacts of jobs which are only in `whole`."""
    for job in chosen.jobs.values():
        absent = [
            name
            for name in artifact_sources(whole.jobs[job.name], whole)
            if name not in chosen.jobs and whole.jobs[name].config.artifacts
        ]
        if absent:
            yield (
                f"{job.name} does without the artifacts of {', '.join(absent)}, which this run"
                " leaves out; --needs runs what it needs too"
            )


class Session:
    """One `tracekeeper run`; `resume` has what takes one up."""

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
        self._artifacts = ArtifactStore()
        self._run: LocalRun | None = None
        self._interrupted = False
        self._age = 0.0
        self._children = processes.children(os.getpid())

    async def run(self) -> int:
        """Run the pipeline and clean up; the exit status."""
        began = time.monotonic() - self._age
        with _on_signals(self._interrupt):
            try:
                status = await self._begin_and_run()
            except TracekeeperError:
                if not self._interrupted:
                    self._finish("failed", began)
                    raise
                status = "canceled"
            finally:
                self._clean_up()
            return self._finish(status, began)

    async def _begin_and_run(self) -> str:
        self._emit(_started(self._directory, self._project, self._pipeline))
        for sentence in await remove_all_leftovers(self._data, self._all_builds):
            self._warn(sentence)
        for sentence in self._options.warnings:
            self._warn(sentence)
        for problem in self._pipeline.warnings:
            self._emit(_warned(problem))
        for sentence in missing_artifacts(self._project.pipeline, self._pipeline):
            self._warn(sentence)
        return await self._run_jobs()

    async def _run_jobs(self) -> str:
        choice = self._choice()
        if choice.may_use_engine(self._pipeline):
            for sentence in cautions(self._options.host):
                self._warn(sentence)
        elif self._options.keep.when != "never":
            self._warn(NOTHING_TO_KEEP)
        snapshot, _ = await asyncio.gather(
            asyncio.to_thread(
                Snapshot.take,
                self._project.root,
                self._builds / SNAPSHOT,
                left_out=self._left_out(),
            ),
            choice.get_ready(self._pipeline),
        )
        for note in snapshot.notes:
            self._warn(note)
        write_record(self._directory.record, self._recorded(snapshot))
        self._run = self._local_run(
            snapshot, choice, consume=is_for_one(self._pipeline.jobs.values())
        )
        if self._interrupted:
            self._run.interrupt()
        return await self._run.run()

    def _choice(self) -> ExecutorChoice:
        return ExecutorChoice(
            self._options.executor,
            self._options.host,
            default_image=self._options.docker.config.image if self._options.docker else "",
            named_by=self._options.engine_named_by,
        )

    def _local_run(self, snapshot: Snapshot, choice: ExecutorChoice, *, consume: bool) -> LocalRun:
        return LocalRun(
            self._context(snapshot, choice, consume=consume),
            self._pipeline,
            jobs_at_once=self._options.jobs_at_once,
            emit=self._emit,
            view=self._view,
        )

    def _recorded(self, snapshot: Snapshot) -> RunRecord:
        options = self._options
        return RunRecord(
            root=self._project.root,
            file=self._project.file,
            overrides=dict(self._project.overrides),
            facts=self._project.named_facts,
            pipeline=self._pipeline,
            git_directories=snapshot.git_directories,
            executor=options.executor,
            host=options.host,
            docker=options.docker,
            jobs_at_once=options.jobs_at_once,
            keep=options.keep,
            engine_named_by=options.engine_named_by,
        )

    def _left_out(self) -> list[str]:
        """Our own directories, where they lie in the project: no job sees other jobs' files."""
        root = self._project.root.resolve()
        own = (self._data.path.resolve(), self._all_builds.parent.resolve())
        return [
            OWN_DIRECTORY,
            *(str(path.relative_to(root)) for path in own if root in path.parents),
        ]

    def _interrupt(self) -> None:
        self._emit(
            events.Warned(
                message=INTERRUPTED_AGAIN if self._interrupted else INTERRUPTED_ONCE,
                code="interrupted",
            )
        )
        self._interrupted = True
        if self._run is not None:
            self._run.interrupt()

    def _clean_up(self) -> None:
        """Remove what the run made outside its own directory. Signals wait until it is done."""
        if strays := processes.end_strays(but=self._children):
            self._warn(f"these processes of jobs would not end: {', '.join(map(str, strays))}")
        try:
            remove_tree(self._builds)
        except StorageError as error:
            self._warn(f"{error.message}: {error.hint}")
        if self._run is None or self._run.is_clean:
            self._directory.forget_engine()

    def _finish(self, status: str, began: float) -> int:
        exit_code = INTERRUPTED if self._interrupted else FAILED if status == "failed" else PASSED
        seconds = time.monotonic() - began
        self._tell_what_is_kept()
        self._emit(events.RunFinished(status=status, exit_code=exit_code, seconds=seconds))
        self._journal.close()
        self._directory.forget_records()
        return exit_code

    def _tell_what_is_kept(self) -> None:
        for name in self._run.kept if self._run else ():
            message = f"{name}: {self._options.keep.sentence(name)}"
            self._emit(events.Warned(message=message, code="container_kept", name=name))

    def _context(self, snapshot: Snapshot, choice: ExecutorChoice, *, consume: bool) -> RunContext:
        return RunContext(
            project=self._project,
            data=self._data,
            directory=self._directory,
            builds=self._builds,
            snapshot=snapshot,
            sources=SnapshotSources(snapshot, consume=consume),
            artifacts=self._artifacts,
            choice=choice,
            host=self._options.host,
            docker=self._options.docker,
            keep=self._options.keep,
        )

    def _emit(self, event: events.Event) -> None:
        at = time.time_ns() // 1000
        kept = self._journal.write(event, at)
        self._view.event(event, at)
        if not kept:
            self._view.event(events.Warned(message=NOT_KEPT), at)

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
    """Call `callback` in the event loop on each of `SIGNALS`. One that this process was started
    to ignore, as nohup does, stays ignored."""
    loop = asyncio.get_running_loop()
    heard = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    for number in heard:
        loop.add_signal_handler(number, callback)
    try:
        yield
    finally:
        for number in heard:
            loop.remove_signal_handler(number)
