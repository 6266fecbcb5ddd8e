"""One attempt at one job: payload, executor and trace brought together for the runner's code."""

import asyncio
import os
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
from tracekeeper.local.data import DataDirectory, RunDirectory
from tracekeeper.local.executors import Choice, ExecutorChoice
from tracekeeper.local.keeping import Keep
from tracekeeper.local.project import LocalProject
from tracekeeper.local.sources import WITHOUT_SOURCES, NoSources
from tracekeeper.pipeline.config import CacheKeyFiles
from tracekeeper.pipeline.pipeline import Job
from tracekeeper.pipeline.variables import resolve
from tracekeeper.protocol.payload import Dependency, JobPayload, Step
from tracekeeper.runner.environment import Environment, environment
from tracekeeper.runner.executors.base import Executor, Sources
from tracekeeper.runner.executors.shell import ShellExecutor
from tracekeeper.runner.files import JobFiles
from tracekeeper.runner.job import JobResult, JobRun, Status
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
        facts: JobFacts,
        dependencies: Sequence[Dependency],
        *,
        number: int,
        slot: int,
        changed: Callable[["Attempt"], None],
        emit: Callable[[Event], None],
    ) -> None:
        self.job = job
        self.id = facts.id
        self.number = number
        self._context = context
        self._slot = slot
        self._cancels = 0
        self._run: JobRun | None = None
        self._docker: DockerExecutor | None = None
        self.is_kept = False
        """Whether the job's container outlives it."""
        self.payload = build(
            job,
            context.project.named_facts,
            facts,
            digest=self._digest,
            dependencies=[d for d in dependencies if context.artifacts.has_archives(d.id)],
            dotenv=[context.artifacts.dotenv(dependency.id) for dependency in dependencies],
            overrides=context.project.overrides,
        )
        self.directory = context.directory.new_job(facts.id, job.name)
        self._changed = changed
        self._emit = emit

    def cancel(self) -> None:
        """Stop the job; see `JobRun.cancel`. May come before the job has begun."""
        self._cancels += 1
        if self._run is not None:
            self._run.cancel()

    def begin(self, choice: Choice) -> None:
        """Make the executor that was chosen, and start the trace: `trace`. Call once."""
        executor = self._executor(choice)
        environment = self._environment(executor.project_dir)
        self.trace = JobTrace(
            Spool.create(self.directory.path),
            Chain(Masks(environment.masked, self._prefixes)),
            changed=lambda: self._changed(self),
            told=self._tell,
        )
        self._run = JobRun(
            self.payload,
            executor,
            self.trace,
            self._files(executor, environment),
            lambda step, status: self._script(executor, step, status),
            variables=environment.values,
            about=f"{choice.why} ({_host(executor)})",
            details=self.directory.defect,
            keep=self._keep,
        )

    async def run(self) -> JobResult:
        """Run the job to its end, after `begin`. `clean_up` comes after it."""
        assert self._run is not None, "begin comes first"
        for _ in range(self._cancels):
            self._run.cancel()
        return await self._run.run()

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

    @property
    def _prefixes(self) -> tuple[str, ...]:
        return (*DEFAULT_TOKEN_PREFIXES, *self.payload.features.token_mask_prefixes)

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

    def _executor(self, choice: Choice) -> Executor:
        context = self._context
        project = self.payload.job_info.project_name
        if choice.executor == "shell":
            return ShellExecutor(
                context.builds / str(self._slot),
                project=project,
                sources=self._sources(),
                marker=f"{context.marker}/{self.id}",
            )
        from tracekeeper.runner.docker.config import DEFAULTS
        from tracekeeper.runner.executors.docker import DockerExecutor
        from tracekeeper.runner.executors.leftovers import DATA_LABEL, JOB_LABEL, RUN_LABEL

        context.directory.note_engine(context.host)
        self._docker = DockerExecutor(
            self.payload,
            self._environment(f"/builds/{project}").values,
            host=context.host,
            sources=self._sources(),
            settings=context.docker or DEFAULTS,
            owner=f"{context.data.id}/{self._slot}",
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

    def _digest(self, key: CacheKeyFiles) -> str:
        return files_key(self._context.project.files, key.files)


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
