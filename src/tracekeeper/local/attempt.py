"""One attempt at one job: payload, executor and trace brought together for the runner's code."""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

import tracekeeper
from tracekeeper.engine.host import Host
from tracekeeper.errors import StorageError
from tracekeeper.events import ConnectionEvent, Event
from tracekeeper.jobs.facts import JobFacts
from tracekeeper.jobs.payload import build
from tracekeeper.local.coordinator import ArtifactStore, LocalCoordinator
from tracekeeper.local.data import DataDirectory, JobDirectory, RunDirectory
from tracekeeper.local.executors import Choice, ExecutorChoice
from tracekeeper.local.keeping import Keep
from tracekeeper.local.project import LocalProject
from tracekeeper.local.record import write_record
from tracekeeper.local.sources import WITHOUT_SOURCES, NoSources
from tracekeeper.pipeline.pipeline import Job
from tracekeeper.pipeline.variables import resolve
from tracekeeper.protocol.payload import Dependency, JobPayload, Step
from tracekeeper.runner.course import Course, Status
from tracekeeper.runner.environment import Environment, environment
from tracekeeper.runner.executors.base import Executor, Sources
from tracekeeper.runner.executors.shell import ShellExecutor
from tracekeeper.runner.files import JobFiles
from tracekeeper.runner.job import JobResult, JobRun
from tracekeeper.runner.output import JobTrace
from tracekeeper.runner.script import script_text
from tracekeeper.runner.spool import Spool
from tracekeeper.trace.chain import Chain
from tracekeeper.trace.masks import DEFAULT_TOKEN_PREFIXES, Masks
from tracekeeper.workspace.cache import CacheStore, files_key
from tracekeeper.workspace.checkout import Snapshot
from tracekeeper.workspace.trees import remove_tree

if TYPE_CHECKING:
    from tracekeeper.runner.docker.config import DockerSettings
    from tracekeeper.runner.executors.docker import DockerExecutor


class RunContext(msgspec.Struct, frozen=True):
    """What all jobs of a run share. `builds` is the directory of their checkouts."""

    project: LocalProject
    data: DataDirectory
    directory: RunDirectory
    builds: Path
    snapshot: Snapshot
    sources: Sources
    artifacts: ArtifactStore
    choice: ExecutorChoice
    host: Host
    docker: "DockerSettings | None" = None
    keep: Keep = Keep()

    @property
    def marker(self) -> str:
        """What names this run on processes and containers."""
        return f"{self.data.id}/{self.directory.number}"


class Attempt:
    """Attempt `number` at a job. `changed` is called with it whenever its trace has changed, `emit`
    with events of its own.

    `slot` is a small number that no other running job of the run has.
    """

    def __init__(
        self,
        context: RunContext,
        job: Job,
        payload: JobPayload,
        directory: JobDirectory,
        *,
        number: int,
        slot: int,
        changed: Callable[["Attempt"], None],
        emit: Callable[[Event], None],
    ) -> None:
        self.job = job
        self.id = payload.id
        self.payload = payload
        self.directory = directory
        self.number = number
        self._context = context
        self._slot = slot
        self._cancels = 0
        self._run: JobRun | None = None
        self._silent = 0.0
        self._docker: DockerExecutor | None = None
        self.is_kept = False
        """Whether the job's container outlives it."""
        self._changed = changed
        self._emit = emit

    def cancel(self) -> None:
        """Stop the job; see `JobRun.cancel`. May come before the job has begun."""
        self._cancels += 1
        if self._run is not None:
            self._run.cancel()

    def begin(self, choice: Choice) -> None:
        """Make the executor that was chosen, and start the trace: `trace`. Call once."""
        write_record(self.directory.payload, self.payload)
        executor = self._executor(choice.executor)
        environment = self._environment(executor.project_dir)
        self.trace = JobTrace(
            Spool.create(self.directory.path),
            Chain(self._masks(environment)),
            changed=lambda: self._changed(self),
            told=self._tell,
        )
        self._run = self._job_run(executor, environment, choice.why)

    def recover(self, executor_name: str) -> None:
        """As `begin`, for an attempt whose process was killed. Blocks. Raises StorageError."""
        self._silent = _silence(self.directory)
        executor = self._executor(executor_name)
        environment = self._environment(executor.project_dir)
        self.trace = JobTrace.recover(
            self.directory.path,
            self._masks(environment),
            changed=lambda: self._changed(self),
            told=self._tell,
        )
        if self._docker is not None and self.trace.standing is not None:
            self._docker.adopt(self.trace.standing)
        self._run = self._job_run(executor, environment, "")

    @property
    def silent(self) -> float:
        """How long nobody had followed an attempt that is taken up, in seconds."""
        return self._silent

    async def run(self) -> JobResult:
        """Run the job to its end, after `begin`. `clean_up` comes after it."""
        return await self._begun.run()

    async def take_up(self) -> JobResult:
        """Bring the job to its end, after `recover`."""
        course = msgspec.convert(self.trace.course or {}, Course)
        if course.ended == "job" or self.trace.standing is not None:
            return await self._begun.take_up(course, _taken_up(self._silent))
        return await self._begun.give_up(_lost(course))

    @property
    def _begun(self) -> JobRun:
        assert self._run is not None, "begin comes first"
        for _ in range(self._cancels):
            self._run.cancel()
        return self._run

    def _job_run(self, executor: Executor, environment: Environment, why: str) -> JobRun:
        return JobRun(
            self.payload,
            executor,
            self.trace,
            self._files(executor, environment),
            lambda step, status: self._script(executor, step, status),
            variables=environment.values,
            about=f"{why} ({_host(executor)})",
            details=self.directory.defect,
            keep=self._keep,
        )

    async def clean_up(self) -> str:
        """Remove what was made for the job; see `JobRun.clean_up`."""
        if self._run is None:
            return ""
        if self._scratch.exists():
            with suppress(StorageError):  # the end of the run removes it, or tells
                await asyncio.to_thread(remove_tree, self._scratch)
        if self._docker is not None and self.is_kept:
            self._docker.keep()
            return ""
        return await self._run.clean_up()

    def _keep(self, status: Status) -> str:
        """Keep the container of a job that ends with `status`, if it is to be: the sentence."""
        keep = self._context.keep
        if self._docker is None or not self._docker.has_container or not keep.wants(status):
            return ""
        try:
            self.directory.note_kept(self._context.host)
        except StorageError as error:
            return f"WARNING: the container is not kept: {error.message}"
        self.is_kept = True
        return keep.sentence(self.job.name)

    def _tell(self, event: ConnectionEvent) -> None:
        self._emit(msgspec.structs.replace(event, job=self.id, name=self.job.name))

    def _masks(self, environment: Environment) -> Masks:
        prefixes = (*DEFAULT_TOKEN_PREFIXES, *self.payload.features.token_mask_prefixes)
        return Masks(environment.masked, prefixes)

    @property
    def _scratch(self) -> Path:
        return self._context.builds / f"{self._slot}.tmp"

    def _files(self, executor: Executor, environment: Environment) -> JobFiles:
        context = self._context
        caches = CacheStore(context.data.cache)
        return JobFiles(
            self.payload,
            executor,
            self.trace,
            LocalCoordinator(self.directory, context.artifacts, caches),
            environment=environment,
            known=context.snapshot.paths if _wants_untracked(self.payload) else (),
            scratch=self._scratch,
        )

    def _environment(self, project_dir: str) -> Environment:
        return environment(self.payload, project_dir)

    def _script(self, executor: Executor, step: Step, status: Status) -> bytes:
        return script_text(
            self.payload,
            step,
            executor.project_dir,
            status="running" if step.name == "script" else status,
            shared=executor.name == "shell",
        )

    def _executor(self, name: str) -> Executor:
        context = self._context
        project = self.payload.job_info.project_name
        if name == "shell":
            return ShellExecutor(
                context.builds / str(self._slot),
                project=project,
                sources=self._sources(),
                marker=f"{context.marker}/{self.id}",
            )
        from tracekeeper.runner.docker.config import DEFAULTS
        from tracekeeper.runner.docker.volumes import Owner
        from tracekeeper.runner.executors.docker import DockerExecutor
        from tracekeeper.runner.executors.leftovers import DATA_LABEL, JOB_LABEL, RUN_LABEL

        context.directory.note_engine(context.host)
        self._docker = DockerExecutor(
            self.payload,
            self._environment(f"/builds/{project}").values,
            host=context.host,
            sources=self._sources(),
            settings=context.docker or DEFAULTS,
            owner=Owner(f"{context.data.id}/{self._slot}", _as_text(context.project.root)),
            scratch=self._scratch,
            labels={
                DATA_LABEL: context.data.id,
                RUN_LABEL: str(context.directory.number),
                JOB_LABEL: str(self.id),
            },
        )
        return self._docker

    def _sources(self) -> Sources:
        strategy = resolve(self.payload.variables).get("GIT_STRATEGY")
        return NoSources() if strategy in WITHOUT_SOURCES else self._context.sources


def _as_text(path: Path) -> str:
    """`path` for JSON, in which the bytes of names that are not UTF-8 have no place."""
    return os.fsencode(path).decode(errors="replace")


def new_payload(
    context: RunContext, job: Job, facts: JobFacts, dependencies: Sequence[Dependency]
) -> JobPayload:
    """What a job is told that is about to begin."""
    return build(
        job,
        context.project.named_facts,
        facts,
        digest=lambda key: files_key(context.project.files, key.files),
        dependencies=[d for d in dependencies if context.artifacts.has_archives(d.id)],
        dotenv=[context.artifacts.dotenv(dependency.id) for dependency in dependencies],
        overrides=context.project.overrides,
    )


def _silence(directory: JobDirectory) -> float:
    """Seconds since the last sign of a process that was killed."""
    try:
        return max(0.0, time.time() - (directory.path / "journal").stat().st_mtime)
    except FileNotFoundError:
        return 0.0


def _taken_up(silent: float) -> str:
    return (
        f"WARNING: the run was killed, and is taken up again after {silent:.1f} s: the log goes on"
        " where it had stopped"
    )


def _lost(course: Course) -> str:
    """Why a job of a run that was killed cannot be taken up."""
    if course.step:
        return (
            "the run was killed while the job's script ran on this machine: it ended with the run"
        )
    return "the run was killed while the job was being prepared"


def _host(executor: Executor) -> str:
    """Who runs the job, and where."""
    about = f"tracekeeper {tracekeeper.__version__}"
    if isinstance(executor, ShellExecutor):
        return f"{about}, {executor.shell} on {os.uname().nodename}"
    return about


def _wants_untracked(payload: JobPayload) -> bool:
    return any(spec.untracked for spec in payload.artifacts) or any(
        spec.untracked for spec in payload.cache
    )
