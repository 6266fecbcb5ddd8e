"""The Docker Engine API client: connections, negotiation, errors and the policy of retries.

    async with await Engine.connect("unix:///var/run/docker.sock") as engine:
        container = await engine.containers.create({"Image": "busybox", "Cmd": ["true"]})

A request goes over a kept connection if there is one. If that turns out to be dead before any of
the answer came, an idempotent request is sent once more over a fresh connection. Nothing else is
ever sent twice: what became of it is unknown, and only the caller knows how to find out.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from functools import cached_property
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Self, TypeAlias, TypeVar
from urllib.parse import urlencode

import msgspec

from tracekeeper.engine.caution import how_to_speak_tls
from tracekeeper.engine.connection import Connection, Dial
from tracekeeper.engine.errors import ConnectionLost, EngineRefused, EngineUnreachable
from tracekeeper.engine.host import Host
from tracekeeper.engine.http import (
    DEFAULT_TIMEOUTS,
    Body,
    Request,
    Response,
    Timeouts,
    exchange,
)
from tracekeeper.engine.models import Version
from tracekeeper.engine.tasks import end
from tracekeeper.engine.transport import dialler, keepalive_of
from tracekeeper.errors import EngineError

if TYPE_CHECKING:
    from tracekeeper.engine.containers import Containers
    from tracekeeper.engine.execs import Execs
    from tracekeeper.engine.images import Images
    from tracekeeper.engine.networks import Networks, Volumes

OLDEST, NEWEST = (1, 41), (1, 52)
"""The API versions that this client was written for."""

_QUICK = Timeouts(answer=5.0, silence=5.0)
QUESTION = 20.0
"""Seconds without an answer after which an engine is asked, over a new connection, whether it is
there: to make or start a container may take long."""
_PROBE = Timeouts(answer=10.0, silence=10.0)

NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are not the JSON that was expected."""
_API_VERSION = re.compile("([0-9]{1,4})[.]([0-9]{1,4})")

T = TypeVar("T")
Query: TypeAlias = Mapping[str, str | int | bool]
_NONE: Query = MappingProxyType({})
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Engine:
    """A Docker Engine. Make it with `connect`, and close it."""

    def __init__(self, host: Host, dial: Dial, *, timeouts: Timeouts) -> None:
        self.host = host
        self.url = host.url
        self.version = Version()
        self._dial = dial
        self._timeouts = timeouts
        self._prefix = ""
        self._idle: list[tuple[Connection, float]] = []
        self.keepalive = ""
        """The keepalive of the newest connection, as the kernel has it, for people."""

    @classmethod
    async def connect(cls, host: Host | str, *, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> Self:
        """Find the engine at `host`, or at a URL without more, and agree on a version of the API.

        Raises UsageError for a bad URL, EngineUnreachable if there is no engine that we can
        speak to.
        """
        host = Host(host) if isinstance(host, str) else host
        engine = cls(host, dialler(host), timeouts=timeouts)
        try:
            engine.version = await engine.call("GET", "/version", Version)
            engine._prefix = f"/v{agreed_version(engine.version)}"
        except (EngineRefused, ConnectionLost) as error:
            engine.close()
            raise EngineUnreachable(
                f"no Docker Engine answers at {host.url}: {error}", hint=_hint(host, error)
            ) from error
        except BaseException:
            engine.close()
            raise
        return engine

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are kept, and what all connections go through (ssh)."""
        while self._idle:
            self._idle.pop()[0].close()
        self._dial.close()

    @cached_property
    def containers(self) -> "Containers":
        """The containers of this engine."""
        from tracekeeper.engine.containers import Containers

        return Containers(self)

    @cached_property
    def execs(self) -> "Execs":
        """Commands in the containers of this engine."""
        from tracekeeper.engine.execs import Execs

        return Execs(self)

    @cached_property
    def images(self) -> "Images":
        """The images of this engine."""
        from tracekeeper.engine.images import Images

        return Images(self)

    @cached_property
    def networks(self) -> "Networks":
        """The networks of this engine."""
        from tracekeeper.engine.networks import Networks

        return Networks(self)

    @cached_property
    def volumes(self) -> "Volumes":
        """The volumes of this engine."""
        from tracekeeper.engine.networks import Volumes

        return Volumes(self)

    async def ping(self, *, probe: bool = False) -> None:
        """Ask for a sign of life; for `probe` see `open`. Raises EngineError if there is none."""
        async with self.open("GET", "/_ping", probe=probe) as response:
            await response.read()

    async def call(
        self,
        method: str,
        path: str,
        answer: type[T],
        *,
        query: Query = _NONE,
        json: object = None,
        probe: bool = False,
    ) -> T:
        """Send a request and decode the answer; with `probe` over a new connection, and soon.
        Raises EngineError."""
        async with self.open(method, path, query=query, json=json, probe=probe) as response:
            data = await response.read()
        try:
            return msgspec.json.decode(data, type=answer)
        except NOT_JSON as error:
            raise EngineUnreachable(
                f"what answers at {self.url} is no Docker Engine: {error}"
            ) from error

    async def do(
        self, method: str, path: str, *, query: Query = _NONE, json: object = None
    ) -> None:
        """Send a request whose answer says nothing more. Raises EngineError."""
        async with self.open(method, path, query=query, json=json) as response:
            await response.read()

    @asynccontextmanager
    async def open(
        self,
        method: str,
        path: str,
        *,
        query: Query = _NONE,
        json: object = None,
        body: Body = b"",
        headers: Mapping[str, str] = _NO_HEADERS,
        probe: bool = False,
    ) -> AsyncIterator[Response]:
        """Send a request; the answer's body is read inside the `async with`. A `probe` goes over a
        new connection and has to be answered within seconds.

        Raises EngineRefused for a status of 400 and more, ConnectionLost, EngineUnreachable.
        """
        if json is not None:
            body = msgspec.json.encode(json)
            headers = {"Content-Type": "application/json", **headers}
        request = Request(method, self._target(path, query), headers, body)
        connection, response = await (self._probe if probe else self._exchange)(request)
        try:
            if response.status >= 400:
                raise await _refusal(response)
            yield response
        finally:
            if response.reusable:
                self._idle.append((connection, time.monotonic()))
            else:
                connection.close()

    def _target(self, path: str, query: Query) -> str:
        values = {key: _text(value) for key, value in query.items()}
        return f"{self._prefix}{path}" + (f"?{urlencode(values)}" if values else "")

    async def _exchange(self, request: Request) -> tuple[Connection, Response]:
        if kept := self._kept():
            try:
                return kept, await self._over(kept, request)
            except ConnectionLost:
                if not request.idempotent:
                    raise
        fresh = await self._fresh()
        return fresh, await self._over(fresh, request)

    async def _probe(self, request: Request) -> tuple[Connection, Response]:
        fresh = await self._fresh()
        return fresh, await self._over(fresh, request, _PROBE)

    async def _fresh(self) -> Connection:
        connection = await self._dial()
        self.keepalive = keepalive_of(connection)
        return connection

    async def _over(
        self, connection: Connection, request: Request, timeouts: Timeouts | None = None
    ) -> Response:
        try:
            if timeouts is not None:
                return await exchange(connection, request, timeouts)
            return await self.watched(exchange(connection, request, self._timeouts))
        except BaseException:
            connection.close()
            raise

    async def watched(self, answer: Awaitable[T]) -> T:
        """Wait for an answer, or for more of it. An engine that lets us wait is asked whether it is
        there. Raises ConnectionLost if it is not, and what `answer` raises."""
        task = asyncio.ensure_future(answer)
        try:
            while not (await asyncio.wait({task}, timeout=QUESTION))[0]:
                try:
                    await self.ping(probe=True)
                except (ConnectionLost, EngineUnreachable) as error:
                    if not task.done():
                        raise ConnectionLost(f"no answer came, and {error.message}") from error
            return task.result()
        finally:
            await end(task)

    def _kept(self) -> Connection | None:
        while self._idle:
            connection, since = self._idle.pop()
            if connection.usable and time.monotonic() - since < self.host.reuse_within:
                return connection
            connection.close()
        return None


async def answers(host: Host | str) -> str | None:
    """None if an engine that we can speak to answers at `host`; otherwise the sentence why not.

    Raises UsageError for a bad URL.
    """
    try:
        (await Engine.connect(host, timeouts=_QUICK)).close()
    except EngineError as error:
        return error.message + (f" ({error.hint})" if error.hint else "")
    return None


def _hint(host: Host, error: EngineError) -> str:
    """What to do where the engine's own words say that TLS is wanted."""
    to_tls = isinstance(error, EngineRefused) and "HTTPS server" in error.reason
    return how_to_speak_tls(host.url) if to_tls else ""


def agreed_version(version: Version) -> str:
    """The version of the API to speak: the newest that both sides know.

    Raises EngineUnreachable if there is none.
    """
    newest, oldest = _numbers(version.api_version), _numbers(version.min_api_version)
    if newest < OLDEST:
        raise EngineUnreachable(
            f"this Docker Engine is too old: it is version {version.version} and speaks API "
            f"{version.api_version}",
            hint=f"Docker 20.10 or newer is needed (API {_dotted(OLDEST)})",
        )
    if oldest > NEWEST:
        raise EngineUnreachable(
            f"this Docker Engine is too new: it is version {version.version} and demands API "
            f"{version.min_api_version} or newer; this program speaks up to {_dotted(NEWEST)}",
            hint="update tracekeeper",
        )
    return _dotted(min(newest, NEWEST))


def _numbers(text: str) -> tuple[int, int]:
    if not (match := _API_VERSION.fullmatch(text)):
        raise EngineUnreachable(
            f"the engine names no version of its API that is one: {text[:20]!r}"
        )
    return int(match[1]), int(match[2])


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _text(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class _Refusal(msgspec.Struct):
    message: str = ""


async def _refusal(response: Response) -> EngineRefused:
    data = await response.read()
    try:
        reason = msgspec.json.decode(data, type=_Refusal).message
    except NOT_JSON:
        reason = data[:500].decode(errors="replace").strip()
    message = f"the Docker Engine refused: {reason or f'HTTP status {response.status}'}"
    return EngineRefused(message, status=response.status, reason=reason)
