"""The docker executor: a job's scripts run in a container of its own, beside its services.

No helper image: sources and steps go in, and files come out, as archives. The container is
created once and started for each step.
"""

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from msgspec import convert
from msgspec.structs import replace

from tracekeeper.engine.client import Engine
from tracekeeper.engine.errors import ConnectionLost, EngineRefused, EngineUnreachable
from tracekeeper.engine.follow import Follow
from tracekeeper.engine.host import Host
from tracekeeper.engine.position import Position
from tracekeeper.engine.tasks import UNANSWERED, Backoff, end, to_its_end
from tracekeeper.errors import EngineError, JobError
from tracekeeper.protocol.payload import JobPayload, Step
from tracekeeper.runner.docker.config import DEFAULTS, DockerSettings
from tracekeeper.runner.docker.volumes import NOBODY, Owner
from tracekeeper.runner.executors import dispatcher
from tracekeeper.runner.executors.archives import (
    advanced_in_thread,
    after,
    directory_tar,
    extract_tar,
    once,
)
from tracekeeper.runner.executors.base import Output, Sources, StepResult
from tracekeeper.runner.executors.container import ContainerRun, Ended, StartRefused
from tracekeeper.runner.executors.endings import doubt_after, removed_under_us
from tracekeeper.runner.executors.failures import Subject, not_begun, not_started
from tracekeeper.runner.executors.leftovers import ROLE_LABEL, remove_labelled
from tracekeeper.runner.executors.standing import (
    NEVER,
    Standing,
    find_container,
    reach,
    subject,
)
from tracekeeper.runner.executors.surroundings import Surroundings

GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL."""
LAST_WORDS = 10.0
"""Seconds for a killed container's output to arrive."""

CLEANUP_PATIENCE = 10.0
"""Seconds for an engine to come back when all that is left to do is to clean up. What stays
behind is removed by a later run."""

MAKING = 1.0
"""Seconds for an engine to finish what it was asked to make, where its answer is lost."""

LOG_CONFIG = {
    "Type": "json-file",
    "Config": {"max-size": "1000g", "max-file": "1", "compress": "false", "mode": "blocking"},
}
"""The record of a job. What is not said here is taken from the host, whose rotation would lose
most of a long log."""


NO_PREVIEW = (
    "Unfinished lines are shown when they end: this engine is reached over a network, where showing"
    " them earlier could stop the job (see `preview` in docs/hosts.md)"
)


class DockerExecutor:
    """Runs one job in a container. `variables` are the job's, expanded.

    `labels` are put on everything that is made, so that a later run can find what a crash left.
    `settings` are what a configuration file says, `owner` says whose the cache volumes are (the
    project, and one of the jobs that it runs at once). `grace` is the time in seconds that a
    script has between SIGTERM and SIGKILL. `scratch` is a directory for files on their way, which
    the caller removes, also after a crash.
    """

    name = "docker"

    def __init__(
        self,
        payload: JobPayload,
        variables: Mapping[str, str],
        *,
        host: Host,
        sources: Sources,
        labels: Mapping[str, str],
        settings: DockerSettings = DEFAULTS,
        owner: Owner = NOBODY,
        grace: float = GRACE,
        scratch: Path | None = None,
    ) -> None:
        self._payload = payload
        self._variables = variables
        self._host = host
        self._sources = sources
        self._labels = dict(labels)
        self._settings = settings
        self._owner = owner
        self._grace = grace
        self._scratch = scratch
        self.doubt = ""
        """See `Executor.doubt`."""
        self.altered = ""
        """See `Executor.altered`."""
        self._name = f"tracekeeper-{payload.id}-{secrets.token_hex(6)}"
        self._engine: Engine | None = None
        self._surroundings: Surroundings | None = None
        self._subject: Subject | None = None
        self._container = ""
        self._uploaded = False
        self._sent: tuple[bytes, str] | None = None
        self._position = Position()
        self._started_at = NEVER
        self._standing: Standing | None = None
        self._by_labels = False
        self.project_dir = f"/builds/{payload.job_info.project_name or 'project'}"

    def adopt(self, standing: object) -> None:
        """Go on for an executor whose process was killed, from a checkpoint of it as JSON has it:
        `prepare` then finds its container, and `run` goes on with its step."""
        self._standing = convert(standing, Standing)

    async def prepare(self, output: Output) -> None:
        """Get the images, start the services, make the container; or find it, after `adopt`.
        Raises JobError."""
        if self._standing is not None:
            await self._find(self._standing)
            return
        self._engine = engine = await Engine.connect(self._host)
        output.note(f"Using Docker {engine.version.version} at {engine.url}")
        if not engine.host.shows_unfinished_lines:
            output.note(NO_PREVIEW)
        self._surroundings = self._surroundings_at(engine)
        try:
            self._subject = await self._surroundings.prepare(output)
            await to_its_end(self._create(), within=UNANSWERED)
        except (ConnectionLost, asyncio.CancelledError) as error:
            self._by_labels = True  # what was made may be known to the engine alone
            if isinstance(error, ConnectionLost):
                await asyncio.sleep(MAKING)
            raise

    async def put_sources(self, output: Output, script: bytes = b"") -> None:
        """Upload the checkout to the project directory, and with it the first step."""
        step = b""
        if script:
            self._sent = script, secrets.token_hex(16)
            step = dispatcher.step_members(*self._sent)
        await self._upload(advanced_in_thread(self._sources.tar(self.project_dir)), step)

    async def put_archive(self, archive: Path) -> None:
        """Unpack artifacts or a cache over the project directory."""
        from tracekeeper.workspace.unpack import extract

        with self._temporary() as directory:
            await asyncio.to_thread(extract, archive, Path(directory))
            await self._upload(advanced_in_thread(directory_tar(Path(directory), self.project_dir)))

    async def run(self, step: Step, script: bytes, output: Output) -> StepResult:
        """Run one script; see `Executor.run`. A cancellation stops it politely, a second one
        at once."""
        if self._standing is not None and self._standing.step == step.name:
            return await self._go_on(self._standing, output)
        self.doubt = self.altered = ""
        nonce = await self._put_step(script)
        follow = Follow(nonce, self._position)
        standing = Standing(step.name, nonce, follow.position.encode(), self._started_at)
        output.checkpoint(standing, now=True)
        container = self._container_run(standing, follow, output)
        return await self._watch(asyncio.create_task(container.run()), follow, output)

    async def _find(self, standing: Standing) -> None:
        """Find what a process that was killed has made."""
        self.doubt = "the script was not followed to its end"
        self._engine = engine = await reach(self._host)
        labels = [f"{key}={value}" for key, value in self._labels.items()]
        found = await find_container(engine, *labels, f"{ROLE_LABEL}=job")
        self._container, self._started_at = found.id, found.state.started_at
        self._surroundings = self._surroundings_at(engine)
        self._subject = await subject(engine, found)
        self._position = Position.decode(standing.position)
        self._uploaded = self._by_labels = True

    async def _go_on(self, standing: Standing, output: Output) -> StepResult:
        """Follow the step that the container was started for, or was about to be."""
        self._standing, self.doubt = None, ""
        follow = Follow.resume(standing.nonce, self._position)
        container = self._container_run(standing, follow, output)
        was_started = self._started_at != standing.started
        work = container.take_up() if was_started else container.run()
        return await self._watch(asyncio.create_task(work), follow, output)

    def _container_run(self, standing: Standing, follow: Follow, output: Output) -> ContainerRun:
        def delivered() -> None:
            if not follow.altered:
                position = follow.position.encode()
                output.checkpoint(replace(standing, position=position, canary=container.canary))

        container = ContainerRun(
            self._connected,
            self._container,
            follow,
            standing.nonce,
            output,
            delivered=delivered,
            canary=standing.canary,
        )
        return container

    async def _watch(
        self, running: asyncio.Task[Ended], follow: Follow, output: Output
    ) -> StepResult:
        async with self._around.logs_shown(output):
            ended = await self._end_of(running, follow)
        self._started_at = ended.state.started_at
        return await self._result(ended)

    async def _end_of(self, running: asyncio.Task[Ended], follow: Follow) -> Ended:
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await self._stop(running)
            raise
        except StartRefused as error:
            refused = self._around.refused(error.reason)
            raise refused or not_started(error.reason, self._started) from error
        except EngineRefused as error:
            raise removed_under_us(error) from error
        finally:
            self._position = follow.position
            self.doubt, self.altered = doubt_after(running), follow.altered

    @asynccontextmanager
    async def collect(self, paths: Sequence[str]) -> AsyncIterator[Path]:
        """Copies of the files, in a directory that is gone afterwards."""
        from tracekeeper.workspace.globs import literal_prefixes

        with self._temporary() as directory:
            for prefix in literal_prefixes(paths, self.project_dir):
                await self._fetch(prefix, Path(directory))
            yield Path(directory)

    async def cleanup(self) -> None:
        """Remove the container, the services with their volumes, and the network."""
        if self._engine is None:
            return None
        backoff = Backoff(CLEANUP_PATIENCE)
        try:
            while True:
                try:
                    return await self._remove(self._engine)
                except (ConnectionLost, EngineUnreachable) as error:
                    await backoff.pause(error)
        finally:
            self._engine.close()
            self._engine = None

    @property
    def has_container(self) -> bool:
        """Whether there is a container that `keep` can keep."""
        return bool(self._container)

    def keep(self) -> None:
        """Instead of `cleanup`: let go of the engine, and leave everything there as it is."""
        self._connected.close()
        self._engine = None

    async def _remove(self, engine: Engine) -> None:
        await engine.ping(probe=True)  # one that hangs would hold up the end of the run for minutes
        if self._by_labels and self._labels:
            await remove_labelled(engine, self._labels)
        if self._container:
            stay = self._settings.config.volume_keep
            await engine.containers.remove(self._container, volumes=not stay)
        if self._surroundings is not None:
            await self._surroundings.remove()

    @property
    def _connected(self) -> Engine:
        assert self._engine is not None, "prepare comes first"
        return self._engine

    @property
    def _started(self) -> Subject:
        assert self._subject is not None, "prepare comes first"
        return self._subject

    @property
    def _around(self) -> Surroundings:
        assert self._surroundings is not None, "prepare comes first"
        return self._surroundings

    def _surroundings_at(self, engine: Engine) -> Surroundings:
        return Surroundings(
            engine,
            self._payload,
            self._variables,
            self._settings,
            name=self._name,
            owner=self._owner,
            labels=self._labels,
        )

    async def _create(self) -> None:
        body = self._around.body(self._started, dispatcher.COMMAND, LOG_CONFIG)
        labels = {**self._labels, ROLE_LABEL: "job"}
        given = body["Labels"]
        assert isinstance(given, dict), "labels"
        try:
            self._container = await self._connected.containers.create(
                {**body, "Labels": {**given, **labels}},
                name=self._name,
                platform=self._around.platform,
            )
        except EngineRefused as error:
            raise self._around.refused(error.reason) or error from error

    async def _put_step(self, script: bytes) -> str:
        """Upload the step unless it came with the sources; its nonce."""
        sent, self._sent = self._sent, None
        if sent and sent[0] == script:
            return sent[1]
        nonce = secrets.token_hex(16)
        await self._upload(once(dispatcher.step_archive(script, nonce)))
        return nonce

    async def _upload(self, archive: AsyncIterator[bytes], before: bytes = b"") -> None:
        """Unpack a tar at ``/``, after the members `before` and what every container gets first.
        One upload costs as much as the mount of a file system."""
        if not self._uploaded:
            caches = self._surroundings.volumes.caches if self._surroundings else ()
            made = dispatcher.first_members("/builds", self.project_dir, *caches)
            before = made + before
        await self._connected.containers.put_archive(self._container, "/", after(before, archive))
        self._uploaded = True

    def _temporary(self) -> tempfile.TemporaryDirectory[str]:
        if self._scratch is not None:
            self._scratch.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix="tracekeeper-", dir=self._scratch)

    async def _fetch(self, path: str, root: Path) -> None:
        """Copy what lies at `path` in the project to the same place below `root`."""
        source = self.project_dir if path == "." else f"{self.project_dir}/{path}"
        try:
            async with self._connected.containers.get_archive(self._container, source) as chunks:
                await extract_tar(chunks, root / path)
        except EngineRefused as error:
            if error.status != 404:
                raise
            await self._check_it_is_there()

    async def _check_it_is_there(self) -> None:
        """Raises JobError if the container is gone: its files are not files that never were."""
        try:
            await self._connected.containers.inspect(self._container)
        except EngineRefused as error:
            raise JobError(
                "the job's container was removed before its files were fetched; they are lost",
                reason="runner_system_failure",
            ) from error

    async def _stop(self, running: asyncio.Task[Ended]) -> None:
        containers = self._connected.containers
        try:
            if not self._settings.config.pid_mode:  # or it would reach the processes of others
                await self._terminate(running)
        finally:
            try:
                if not running.done():
                    with suppress(EngineError):  # a later run removes what cannot be reached now
                        await containers.kill(self._container)
                    await asyncio.wait({running}, timeout=LAST_WORDS)
            finally:
                await end(running)

    async def _terminate(self, running: asyncio.Task[Ended]) -> None:
        """Send SIGTERM to all of the script, and give it time to end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._grace):
                with suppress(EngineError):  # it may have ended just now
                    command = dispatcher.TERMINATE
                    await self._connected.containers.execute(self._container, command, user="0")
                await asyncio.wait({running})

    async def _result(self, ended: Ended) -> StepResult:
        status, state = ended.exit_status, ended.state
        if status is None and not await self._has_begun():
            raise not_begun(state, self._started)
        exit_code = state.exit_code if status is None else status
        return StepResult(exit_code, oom=state.oom_killed)

    async def _has_begun(self) -> bool:
        """Whether the dispatcher has ever run in this container."""
        try:
            async with self._connected.containers.get_archive(self._container, dispatcher.BEGUN):
                return True
        except EngineRefused:
            return False
