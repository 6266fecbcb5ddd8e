"""The docker executor: a job's scripts run in a container of its own, beside its services.

No helper image: sources and steps go in, and files come out, as archives. The container is
created once and started for each step.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from tracekeeper.engine.client import Engine
from tracekeeper.engine.errors import EngineRefused
from tracekeeper.engine.follow import Follow
from tracekeeper.engine.models import Image
from tracekeeper.engine.position import Position
from tracekeeper.errors import EngineError, JobError
from tracekeeper.pipeline.variables import expand
from tracekeeper.protocol.payload import ImageSpec, JobPayload, Step
from tracekeeper.runner.executors import dispatcher
from tracekeeper.runner.executors.base import Output, Sources, StepResult
from tracekeeper.runner.executors.container import ContainerRun, Ended
from tracekeeper.runner.executors.pulling import obtain_image

GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL."""
LAST_WORDS = 10.0
"""Seconds for a killed container's output to arrive."""

LOG_CONFIG = {
    "Type": "json-file",
    "Config": {"max-size": "1000g", "max-file": "1", "compress": "false", "mode": "blocking"},
}
"""The record of a job. What is not said here is taken from the host, whose rotation would lose
most of a long log."""


class DockerExecutor:
    """Runs one job in a container. `variables` are the job's, expanded.

    `labels` are put on everything that is made, so that a later run can find what a crash left.
    `pull_policy` holds where the job's image has none of its own.
    """

    name = "docker"

    def __init__(
        self,
        payload: JobPayload,
        variables: Mapping[str, str],
        *,
        engine_url: str,
        sources: Sources,
        labels: Mapping[str, str],
        pull_policy: Sequence[str] = ("if-not-present",),
        grace: float = GRACE,
    ) -> None:
        self._payload = payload
        self._variables = variables
        self._engine_url = engine_url
        self._sources = sources
        self._labels = dict(labels)
        self._pull_policy = tuple(pull_policy)
        self._grace = grace
        self._engine: Engine | None = None
        self._container = ""
        self._image: Image | None = None
        self._position = Position()
        self.project_dir = f"/builds/{payload.job_info.project_name or 'project'}"

    async def prepare(self, output: Output) -> None:
        """Get the image and make the container. Raises JobError."""
        self._engine = await _connect(self._engine_url)
        spec = self._image_spec()
        output.note(f"Using Docker {self._engine.version.version} at {self._engine_url}")
        self._image = await self._obtain(spec, output)
        await _to_its_end(self._create(spec))
        await self._put(dispatcher.directories_archive("/builds", self.project_dir))

    async def put_sources(self, output: Output) -> None:
        """Upload the checkout to the project directory."""
        await self._upload(_in_thread(self._sources.tar(self.project_dir)))

    async def run(self, step: Step, script: bytes, output: Output) -> StepResult:
        """Run one script; see `Executor.run`. A cancellation stops it politely, a second one
        at once."""
        nonce = secrets.token_hex(16)
        await self._put(dispatcher.step_archive(script, nonce))
        follow = Follow(nonce, self._position)
        running = asyncio.create_task(
            ContainerRun(self._connected, self._container, follow, output).run(nonce)
        )
        try:
            ended = await asyncio.shield(running)
        except asyncio.CancelledError:
            await self._stop(running)
            raise
        except EngineRefused as error:
            raise self._not_started(error) from error
        finally:
            self._position = follow.position
        return await self._result(ended)

    async def cleanup(self) -> None:
        """Remove the container."""
        if self._engine is None:
            return
        try:
            if self._container:
                await self._engine.containers.remove(self._container)
        finally:
            self._engine.close()
            self._engine = None

    @property
    def _connected(self) -> Engine:
        assert self._engine is not None, "prepare comes first"
        return self._engine

    def _image_spec(self) -> ImageSpec:
        if self._payload.image is None:
            raise JobError("the job names no image", reason="configuration_error")
        return self._payload.image

    async def _obtain(self, spec: ImageSpec, output: Output) -> Image:
        return await obtain_image(
            self._connected,
            expand(spec.name, self._variables),
            spec.pull_policy or self._pull_policy,
            output,
            platform=spec.executor_opts.docker.platform,
        )

    async def _create(self, spec: ImageSpec) -> None:
        config: dict[str, object] = {
            "Image": expand(spec.name, self._variables),
            "Cmd": dispatcher.COMMAND,
            "Env": [f"{key}={value}" for key, value in self._variables.items()],
            "Labels": self._labels,
            "User": spec.executor_opts.docker.user,
            "HostConfig": {"LogConfig": LOG_CONFIG},
        }
        if spec.entrypoint is not None:
            config["Entrypoint"] = spec.entrypoint
        self._container = await self._connected.containers.create(
            config, platform=spec.executor_opts.docker.platform
        )

    async def _put(self, archive: bytes) -> None:
        await self._upload(_once(archive))

    async def _upload(self, archive: AsyncIterator[bytes]) -> None:
        await self._connected.containers.put_archive(self._container, "/", archive)

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
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    def _not_started(self, error: EngineRefused) -> JobError:
        return JobError(
            f"the container cannot be started: {error.reason}", reason="runner_system_failure"
        )

    async def _result(self, ended: Ended) -> StepResult:
        status = ended.follow.exit_status
        return StepResult(
            exit_code=ended.state.exit_code if status is None else status,
            complete=not ended.follow.doubt,
            doubt=ended.follow.doubt,
            oom=ended.state.oom_killed,
        )


async def answers(url: str) -> str | None:
    """None if an engine that we can use answers at `url`; otherwise the sentence why not."""
    try:
        (await Engine.connect(url)).close()
    except EngineError as error:
        return error.message
    return None


async def _connect(url: str) -> Engine:
    try:
        return await Engine.connect(url)
    except EngineError as error:
        raise JobError(error.message, reason="runner_system_failure", hint=error.hint) from error


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Await `work`; a cancellation waits for it, so that what it makes is known."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def _in_thread(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """An iterator that blocks, advanced in a thread."""
    while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
        yield chunk
