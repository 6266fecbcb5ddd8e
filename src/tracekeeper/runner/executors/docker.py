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

from tracekeeper.engine.client import Engine
from tracekeeper.engine.credentials import registry_auth
from tracekeeper.engine.errors import ConnectionLost, EngineRefused, EngineUnreachable
from tracekeeper.engine.follow import Follow
from tracekeeper.engine.host import Host
from tracekeeper.engine.position import Position
from tracekeeper.engine.references import parse
from tracekeeper.engine.tasks import Backoff, end, to_its_end
from tracekeeper.errors import EngineError, JobError
from tracekeeper.pipeline.variables import expand
from tracekeeper.protocol.payload import ImageSpec, JobPayload, Step
from tracekeeper.runner.executors import dispatcher
from tracekeeper.runner.executors.archives import advanced_in_thread, directory_tar, extract_tar
from tracekeeper.runner.executors.base import Output, Sources, StepResult
from tracekeeper.runner.executors.container import ContainerRun, Ended, StartRefused
from tracekeeper.runner.executors.failures import Subject, not_begun, not_started
from tracekeeper.runner.executors.leftovers import ROLE_LABEL
from tracekeeper.runner.executors.pulling import obtain_image
from tracekeeper.runner.executors.services import WAIT, Services, describe

GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL."""
LAST_WORDS = 10.0
"""Seconds for a killed container's output to arrive."""

CLEANUP_PATIENCE = 10.0
"""Seconds for an engine to come back when all that is left to do is to clean up. What stays
behind is removed by a later run."""

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
    `pull_policy` holds for images that have none of their own; of several policies each is the
    fallback of the one before it. `grace` is the time in seconds that a script has between
    SIGTERM and SIGKILL, `services_wait` that services have to be ready.
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
        pull_policy: Sequence[str] = ("if-not-present",),
        grace: float = GRACE,
        services_wait: float = WAIT,
    ) -> None:
        self._payload = payload
        self._variables = variables
        self._host = host
        self._sources = sources
        self._labels = dict(labels)
        self._pull_policy = tuple(pull_policy)
        self._grace = grace
        self._services_wait = services_wait
        self.doubt = ""
        """See `Executor.doubt`."""
        self._name = f"tracekeeper-{payload.id}-{secrets.token_hex(6)}"
        self._engine: Engine | None = None
        self._services: Services | None = None
        self._subject: Subject | None = None
        self._container = ""
        self._uploaded = False
        self._sent: tuple[bytes, str] | None = None
        self._position = Position()
        self.project_dir = f"/builds/{payload.job_info.project_name or 'project'}"

    async def prepare(self, output: Output) -> None:
        """Get the images, start the services, make the container. Raises JobError."""
        spec = self._image_spec()
        self._engine = engine = await Engine.connect(self._host)
        output.note(f"Using Docker {engine.version.version} at {engine.url}")
        if not engine.host.shows_unfinished_lines:
            output.note(NO_PREVIEW)
        self._subject = await self._obtain(spec, output)
        if self._payload.services:
            await self._start_services(output)
        await to_its_end(self._create(spec))

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

        with tempfile.TemporaryDirectory(prefix="tracekeeper-") as directory:
            await asyncio.to_thread(extract, archive, Path(directory))
            await self._upload(advanced_in_thread(directory_tar(Path(directory), self.project_dir)))

    async def run(self, step: Step, script: bytes, output: Output) -> StepResult:
        """Run one script; see `Executor.run`. A cancellation stops it politely, a second one
        at once."""
        self.doubt = ""
        nonce = await self._put_step(script)
        follow = Follow(nonce, self._position)
        container = ContainerRun(self._connected, self._container, follow, nonce, output)
        running = asyncio.create_task(container.run())
        try:
            ended = await asyncio.shield(running)
        except asyncio.CancelledError:
            await self._stop(running)
            raise
        except StartRefused as error:
            raise not_started(error.reason, self._started) from error
        except EngineRefused as error:
            raise _gone(error) from error
        finally:
            self._position = follow.position
            self.doubt = _doubt_after(running)
        return await self._result(ended)

    @asynccontextmanager
    async def collect(self, paths: Sequence[str]) -> AsyncIterator[Path]:
        """Copies of the files, in a directory that is gone afterwards."""
        from tracekeeper.workspace.globs import literal_prefixes

        with tempfile.TemporaryDirectory(prefix="tracekeeper-") as directory:
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
        if self._container:
            await engine.containers.remove(self._container)
        if self._services is not None:
            await self._services.remove()

    @property
    def _connected(self) -> Engine:
        assert self._engine is not None, "prepare comes first"
        return self._engine

    @property
    def _started(self) -> Subject:
        assert self._subject is not None, "prepare comes first"
        return self._subject

    def _image_spec(self) -> ImageSpec:
        if self._payload.image is None:
            raise JobError(
                "the job names no image", reason="runner_configuration_error", hint="add `image:`"
            )
        return self._payload.image

    async def _obtain(self, spec: ImageSpec, output: Output) -> Subject:
        engine = self._connected
        name = expand(spec.name, self._variables)
        image = await obtain_image(
            engine,
            name,
            spec.pull_policy or self._pull_policy,
            output,
            platform=spec.executor_opts.docker.platform,
            auth=self._registry_auth(name),
        )
        own = image.config.entrypoint if image.config else None
        entrypoint = own if spec.entrypoint is None else spec.entrypoint
        platform = f"{engine.version.os}/{engine.version.arch}"
        return Subject(name, image, [part for part in entrypoint or () if part], platform)

    def _registry_auth(self, image: str) -> str:
        configuration = self._variables.get("DOCKER_AUTH_CONFIG", "")
        try:
            return registry_auth(configuration, parse(image).registry) if configuration else ""
        except ValueError as error:
            raise JobError(
                f"the variable DOCKER_AUTH_CONFIG cannot be used: {error}",
                reason="runner_configuration_error",
            ) from error

    async def _start_services(self, output: Output) -> None:
        for spec in self._payload.services:
            output.note(f"Starting service {expand(spec.name, self._variables)}")
            await self._obtain(spec, output)
        self._services = Services(self._connected, self._labels, self._name, self._started.name)
        services = [describe(spec, self._variables) for spec in self._payload.services]
        await to_its_end(self._services.start(services))
        await self._services.wait(output, seconds=self._services_wait)

    async def _create(self, spec: ImageSpec) -> None:
        host: dict[str, object] = {"LogConfig": LOG_CONFIG}
        if self._services is not None:
            host["NetworkMode"] = self._services.network
        config: dict[str, object] = {
            "Image": self._started.name,
            "Cmd": dispatcher.COMMAND,
            "Env": [f"{key}={value}" for key, value in self._variables.items()],
            "Labels": {**self._labels, ROLE_LABEL: "job"},
            "User": spec.executor_opts.docker.user,
            "HostConfig": host,
        }
        if spec.entrypoint is not None:
            config["Entrypoint"] = spec.entrypoint
        self._container = await self._connected.containers.create(
            config, name=self._name, platform=spec.executor_opts.docker.platform
        )

    async def _put_step(self, script: bytes) -> str:
        """Upload the step unless it came with the sources; its nonce."""
        sent, self._sent = self._sent, None
        if sent and sent[0] == script:
            return sent[1]
        nonce = secrets.token_hex(16)
        await self._upload(_once(dispatcher.step_archive(script, nonce)))
        return nonce

    async def _upload(self, archive: AsyncIterator[bytes], before: bytes = b"") -> None:
        """Unpack a tar at ``/``, after the members `before` and what every container gets first.
        One upload costs as much as the mount of a file system."""
        if not self._uploaded:
            before = dispatcher.first_members("/builds", self.project_dir) + before
        await self._connected.containers.put_archive(self._container, "/", _after(before, archive))
        self._uploaded = True

    async def _fetch(self, path: str, root: Path) -> None:
        """Copy what lies at `path` in the project to the same place below `root`."""
        source = self.project_dir if path == "." else f"{self.project_dir}/{path}"
        try:
            async with self._connected.containers.get_archive(self._container, source) as chunks:
                await extract_tar(chunks, root / path)
        except EngineRefused as error:
            if error.status != 404:
                raise

    async def _stop(self, running: asyncio.Task[Ended]) -> None:
        containers = self._connected.containers
        try:
            with suppress(EngineError):  # it may have ended just now
                await containers.execute(self._container, dispatcher.TERMINATE, user="0")
            await asyncio.wait({running}, timeout=self._grace)
        finally:
            if not running.done():
                await containers.kill(self._container)
                await asyncio.wait({running}, timeout=LAST_WORDS)
            await end(running)

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


def _doubt_after(running: asyncio.Task[Ended]) -> str:
    """Why some output may be missing of a container that was started, however that went."""
    if not running.done() or running.cancelled():
        return "the script did not run to its end"
    error = running.exception()
    if error is None:
        return _doubt(running.result())
    return "" if isinstance(error, StartRefused) else str(error)


def _doubt(ended: Ended) -> str:
    if ended.doubt and ended.state.oom_killed:
        return "the kernel killed the container's main process: its memory limit was reached"
    return ended.doubt


def _gone(error: EngineRefused) -> Exception:
    if error.status not in {404, 409}:  # none such, or marked for removal
        return error
    return JobError(
        "the job's container was removed while its script ran; its output is lost from there on",
        reason="runner_system_failure",
    )


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def _after(before: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if before:
        yield before
    async for chunk in chunks:
        yield chunk
