"""Dialling an engine: socket, proxy, TLS, one layer over the other.

The keepalive is on before the first packet of a TCP connection, whatever is spoken over it later.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable
from urllib.parse import SplitResult, urlsplit

from tracekeeper.engine.connection import CONNECT_TIMEOUT, READ_SIZE, Connection, Dial
from tracekeeper.engine.errors import ConnectionLost, EngineUnreachable
from tracekeeper.engine.host import Host
from tracekeeper.errors import UsageError
from tracekeeper.sockets import options
from tracekeeper.sockets.options import Keepalive

PLAIN_PORT, TLS_PORT = 2375, 2376


def dialler(host: Host) -> Dial:
    """How to reach an engine: ``unix://PATH``, ``tcp://HOST[:PORT]``, ``https://`` and ``http://``
    the same with and without TLS, ``ssh://[USER@]HOST[:PORT][PATH]``.

    Raises UsageError for another URL, TlsFailure for certificates that cannot be used.
    """
    parts = _split(host.url)
    if parts.scheme == "unix" and not parts.netloc and parts.path:
        return lambda: _unix(host, parts.path)
    if parts.scheme in {"tcp", "http", "https"} and parts.hostname and not parts.path.strip("/"):
        return _network_dial(host, parts)
    raise UsageError(
        f"{host.url!r} is no address of a Docker Engine",
        hint="use unix:///path/to/docker.sock, tcp://host:port, https://host:port or ssh://host",
    )


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise UsageError(f"{url!r} is no address of a Docker Engine: {error}") from None
    return parts


def _network_dial(host: Host, parts: SplitResult) -> Dial:
    name = parts.hostname or ""
    if host.tls is None:
        if parts.scheme == "https":
            raise UsageError(
                f"{host.url} is reached by TLS, but no certificates are given",
                hint="name them by DOCKER_CERT_PATH or tls_cert_path, or use a docker context",
            )
        port = parts.port or PLAIN_PORT
        return lambda: _network(host, name, port)

    from tracekeeper.engine.tls import over_tls, tls_context

    context = tls_context(host.tls)
    tls_port = parts.port or TLS_PORT

    async def dial() -> Connection:
        connection = await _network(host, name, tls_port)
        try:
            return await over_tls(connection, context, name, timeout=CONNECT_TIMEOUT)
        except ConnectionLost as error:
            raise EngineUnreachable(
                f"no Docker Engine can be reached at {host.url}: {error.message}"
            ) from error

    return dial


async def _unix(host: Host, path: str) -> Connection:
    return await _stream(host.url, _connect(socket.socket(socket.AF_UNIX), path))


async def _network(host: Host, name: str, port: int) -> Connection:
    """A connection to the engine's port, straight or through the proxy's tunnel."""
    if not host.proxy:
        return await _stream(host.url, tcp_socket(name, port, host.keepalive))
    from tracekeeper.engine.proxy import through_proxy

    return await through_proxy(host, name, port)


async def _stream(url: str, connecting: Awaitable[socket.socket]) -> "StreamConnection":
    """Raises EngineUnreachable naming `url` if there is no connection in time."""
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            return await stream(await connecting)
    except TimeoutError:
        raise EngineUnreachable(
            f"no Docker Engine answers at {url} within {CONNECT_TIMEOUT:.0f} s"
        ) from None
    except OSError as error:
        why = error.strerror or str(error)
        raise EngineUnreachable(f"no Docker Engine can be reached at {url}: {why}") from error


async def stream(sock: socket.socket) -> "StreamConnection":
    """A connection over a connected socket."""
    reader, writer = await asyncio.open_connection(sock=sock, limit=READ_SIZE)
    return StreamConnection(reader, writer)


async def tcp_socket(host: str, port: int, keepalive: Keepalive | None) -> socket.socket:
    """Try each address of `host` in turn; the keepalive is on before the first packet.

    Raises OSError.
    """
    addresses = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failure = OSError(f"{host} has no address")
    for family, kind, protocol, _, address in addresses:
        sock = socket.socket(family, kind, protocol)
        options.apply(sock, keepalive)
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


def keepalive_of(connection: Connection) -> str:
    """The keepalive of a connection as the kernel has it, for people: ``off``, or ``none`` where it
    is not TCP."""
    if connection.socket.family == socket.AF_UNIX:
        return "none"
    found = options.read_back(connection.socket)
    return "off" if found is None else str(found)


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

    async def write_eof(self) -> None:
        """See `Connection.write_eof`."""
        try:
            self._writer.write_eof()
        except OSError as error:
            raise _lost(error) from error

    @property
    def socket(self) -> "socket.socket":
        """See `Connection.socket`."""
        found: socket.socket = self._writer.get_extra_info("socket")
        return found

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
