"""Connections to an engine: where it is, how to dial it, bytes in and out.

`Connection` is all that the layers above know. A new way to an engine is a new `dial`.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias
from urllib.parse import urlsplit

from tracekeeper.engine.errors import ConnectionLost, EngineUnreachable
from tracekeeper.errors import UsageError
from tracekeeper.sockets import options

DEFAULT_PORT = 2375
CONNECT_TIMEOUT = 10.0
READ_SIZE = 256 * 1024


class Connection(Protocol):
    """A byte stream to an engine. Every call may raise ConnectionLost."""

    async def read(self) -> bytes:
        """The next bytes; empty when the other side has finished sending."""
        ...

    async def write(self, data: bytes) -> None:
        """Send, and wait until most of it has left our memory."""
        ...

    @property
    def usable(self) -> bool:
        """False once the other side is known to be gone."""
        ...

    def close(self) -> None:
        """Close at once; what has not been sent is dropped."""
        ...


Dial: TypeAlias = Callable[[], Awaitable[Connection]]
"""Makes one connection. Raises EngineUnreachable."""


def dialler(url: str) -> Dial:
    """How to reach the engine at `url`: ``unix://PATH`` or ``tcp://HOST[:PORT]`` (also http).

    Raises UsageError for a URL that is neither.
    """
    parts = urlsplit(url)
    if parts.scheme == "unix" and not parts.netloc and parts.path:
        return lambda: _dial(url, _unix_socket(parts.path))
    if parts.scheme in {"tcp", "http"} and parts.hostname and not parts.path.strip("/"):
        host, port = parts.hostname, _port(url)
        return lambda: _dial(url, _tcp_socket(host, port))
    raise UsageError(
        f"{url!r} is no address of a Docker Engine",
        hint="use unix:///path/to/docker.sock or tcp://host:port",
    )


def _port(url: str) -> int:
    try:
        return urlsplit(url).port or DEFAULT_PORT
    except ValueError as error:
        raise UsageError(f"{url!r} has no valid port: {error}") from None


async def _dial(url: str, connecting: Awaitable[socket.socket]) -> Connection:
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            sock = await connecting
            reader, writer = await asyncio.open_connection(sock=sock, limit=READ_SIZE)
    except TimeoutError:
        raise EngineUnreachable(
            f"no Docker Engine answers at {url} within {CONNECT_TIMEOUT:.0f} s"
        ) from None
    except OSError as error:
        why = error.strerror or str(error)
        raise EngineUnreachable(f"no Docker Engine can be reached at {url}: {why}") from error
    return StreamConnection(reader, writer)


async def _unix_socket(path: str) -> socket.socket:
    return await _connect(socket.socket(socket.AF_UNIX), path)


async def _tcp_socket(host: str, port: int) -> socket.socket:
    """Try each address of `host` in turn; the keepalive is on before the first packet."""
    addresses = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failure = OSError(f"{host} has no address")
    for family, kind, protocol, _, address in addresses:
        sock = socket.socket(family, kind, protocol)
        options.apply(sock)
        try:
            return await _connect(sock, address)
        except OSError as error:
            failure = error
    raise failure


async def _connect(sock: socket.socket, address: object) -> socket.socket:
    sock.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(sock, address)  # type: ignore[arg-type]
    except BaseException:
        sock.close()
        raise
    return sock


class StreamConnection:
    """A `Connection` over a socket that asyncio reads and writes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self) -> bytes:
        """See `Connection.read`."""
        try:
            return await self._reader.read(READ_SIZE)
        except OSError as error:
            raise _lost(error) from error

    async def write(self, data: bytes) -> None:
        """See `Connection.write`."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise _lost(error) from error

    @property
    def usable(self) -> bool:
        """See `Connection.usable`."""
        return not self._reader.at_eof() and not self._writer.is_closing()

    def close(self) -> None:
        """See `Connection.close`."""
        self._writer.transport.abort()


def _lost(error: OSError) -> ConnectionLost:
    why = os.strerror(error.errno) if error.errno else str(error) or type(error).__name__
    return ConnectionLost(f"the connection to the Docker Engine broke: {why}")
