"""Containers of an engine. Every call may raise EngineError."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Literal, TypeAlias
from urllib.parse import quote

import msgspec

from tracekeeper.engine.client import Engine, Query
from tracekeeper.engine.errors import EngineRefused
from tracekeeper.engine.http import UPGRADE, Response
from tracekeeper.engine.models import Container, Created, Exit, Listed

EVENTS_PATIENCE = 2.0
"""Seconds in which an engine sends the events that it remembers."""

Condition: TypeAlias = Literal["not-running", "next-exit", "removed"]


class Containers:
    """The containers of one engine; `container` is an id or a name."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def create(
        self, config: Mapping[str, object], *, name: str = "", platform: str = ""
    ) -> str:
        """Create a container from the API's own description of one; its id."""
        query = {key: value for key, value in (("name", name), ("platform", platform)) if value}
        created = await self._engine.call(
            "POST", "/containers/create", Created, query=query, json=config
        )
        return created.id

    async def start(self, container: str) -> None:
        """Start it; no harm if it runs already."""
        await self._engine.do("POST", f"{_path(container)}/start")

    async def inspect(self, container: str, *, probe: bool = False) -> Container:
        """What it is and how it is; a `probe` is answered soon or raises (`Engine.open`)."""
        path = f"{_path(container)}/json"
        return await self._engine.call("GET", path, Container, probe=probe)

    @asynccontextmanager
    async def wait(self, container: str, condition: Condition) -> AsyncIterator["Waiting"]:
        """Wait for an end. The engine watches from the moment that this is entered, so entered
        before `start` with ``next-exit`` it misses nothing. After an exit ``next-exit`` never
        comes, and on a container not yet started ``not-running`` comes at once."""
        query = {"condition": condition}
        async with self._engine.open("POST", f"{_path(container)}/wait", query=query) as response:
            yield Waiting(response)

    async def remembers_start(self, container: str) -> bool:
        """Whether the engine process has itself started it. It keeps its last 256 events in memory
        alone, so after its restart it knows of none (Docker Engine API, `SystemEvents`)."""
        filters = {"container": [container], "event": ["start"]}
        query = {"since": "1", "filters": msgspec.json.encode(filters).decode()}
        with suppress(TimeoutError):
            async with (
                asyncio.timeout(EVENTS_PATIENCE),
                self._engine.open("GET", "/events", query=query) as response,
                aclosing(response.chunks(endless=True)) as events,
            ):
                async for _ in events:
                    return True
        return False

    async def kill(self, container: str, signal: str = "SIGKILL") -> None:
        """Send a signal to the main process; no harm if none runs."""
        try:
            await self._engine.do("POST", f"{_path(container)}/kill", query={"signal": signal})
        except EngineRefused as error:
            if error.status not in {404, 409}:
                raise

    async def remove(self, container: str, *, volumes: bool = True) -> None:
        """Remove it, running or not, and its anonymous volumes unless they are to stay; no harm
        if it is gone."""
        await delete(self._engine, _path(container), force=True, v=volumes)

    async def list(self, *labels: str) -> "list[Listed]":
        """All containers, running or not, that have these labels (``key`` or ``key=value``)."""
        query: Query = {"all": True, "filters": label_filter(labels)}
        return await self._engine.call("GET", "/containers/json", _Containers, query=query)

    @asynccontextmanager
    async def logs(
        self,
        container: str,
        *,
        follow: bool,
        tail: int | None = None,
        timestamps: bool = True,
        probe: bool = False,
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Its log as frames, from the last `tail` entries on (None: from the beginning); for
        `probe` see `Engine.open`."""
        query: Query = {
            "stdout": True,
            "stderr": True,
            "follow": follow,
            "timestamps": timestamps,
            "tail": "all" if tail is None else tail,
        }
        path = f"{_path(container)}/logs"
        async with (
            self._engine.open("GET", path, query=query, probe=probe) as response,
            aclosing(response.chunks(endless=follow)) as chunks,
        ):
            yield chunks

    @asynccontextmanager
    async def attach(self, container: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """Its output from now on, as frames. Who does not read them stops the container."""
        query: Query = {"stream": True, "stdout": True, "stderr": True}
        path = f"{_path(container)}/attach"
        async with (
            self._engine.open("POST", path, query=query, headers=UPGRADE) as response,
            aclosing(response.stream()) as stream,
        ):
            yield stream

    async def put_archive(self, container: str, path: str, tar: AsyncIterable[bytes]) -> None:
        """Unpack a tar stream at `path`, which must exist, as the tar says; as root."""
        query = {"path": path}
        headers = {"Content-Type": "application/x-tar"}
        target = f"{_path(container)}/archive"
        async with self._engine.open(
            "PUT", target, query=query, body=tar, headers=headers
        ) as response:
            await response.read()

    @asynccontextmanager
    async def get_archive(self, container: str, path: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """The file or directory `path` as a tar stream; its names begin with the last part of
        `path`. Raises EngineRefused with status 404 if there is none."""
        target = f"{_path(container)}/archive"
        async with (
            self._engine.open("GET", target, query={"path": path}) as response,
            aclosing(response.chunks()) as chunks,
        ):
            yield chunks

    async def execute(self, container: str, command: Sequence[str], *, user: str = "") -> int:
        """Run a command in a running container and wait for it; its exit status, output unseen."""
        execs = self._engine.execs
        exec_id = await execs.create(container, command, user=user)
        async with execs.start(exec_id) as running:
            async for _ in running.output():
                pass
        return await execs.exit_code(exec_id)


class Waiting:
    """A wait that the engine has taken on."""

    def __init__(self, response: Response) -> None:
        self._response = response

    async def exit_code(self) -> int:
        """The exit status, as soon as there is one. Raises ConnectionLost if the line breaks."""
        data = b"".join([part async for part in self._response.chunks(endless=True)])
        return msgspec.json.decode(data, type=Exit).status_code


_Containers = list[Listed]


def _path(container: str) -> str:
    return f"/containers/{quote(container, safe='')}"


def label_filter(labels: Sequence[str]) -> str:
    """The ``filters`` parameter for things with all these labels."""
    return msgspec.json.encode({"label": list(labels)}).decode()


async def delete(engine: Engine, path: str, **query: bool) -> None:
    """Remove something; no harm if it is gone, or is being removed by somebody else."""
    try:
        await engine.do("DELETE", path, query=query)
    except EngineRefused as error:
        being_removed = error.status == 409 and "already in progress" in error.reason
        if error.status != 404 and not being_removed:
            raise
