"""Dialling an engine: socket, proxy, TLS, one layer over the other; or the OpenSSH program."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from urllib.parse import SplitResult, urlsplit

from tracekeeper.engine.connection import CONNECT_TIMEOUT, Connection, Dial
from tracekeeper.engine.errors import ConnectionLost, EngineUnreachable
from tracekeeper.engine.host import PLAIN_PORT, TLS_PORT, Host, shown
from tracekeeper.engine.stream import StreamConnection, host_name, reason, tcp_stream, unix_stream
from tracekeeper.errors import UsageError
from tracekeeper.sockets import options


def dialler(host: Host) -> Dial:
    """How to reach an engine: ``unix://PATH``, ``tcp://HOST[:PORT]``, ``https://`` and ``http://``
    the same with and without TLS, ``ssh://[USER@]HOST[:PORT][/PATH]``.

    Raises UsageError for another URL or a bad proxy, TlsFailure for certificates that cannot be
    used.
    """
    parts = _split(host.url)
    if host.proxy:
        from tracekeeper.engine.proxy import check_proxy

        check_proxy(host.proxy)
    if parts.scheme == "unix" and not parts.netloc and parts.path:
        return _Dial(lambda: _patient(host.url, unix_stream(parts.path)))
    if parts.scheme == "ssh" and parts.hostname:
        from tracekeeper.engine.ssh import SshDial

        return SshDial(host)
    if parts.scheme in {"tcp", "http", "https"} and parts.hostname and not parts.path.strip("/"):
        return _Dial(_network_dial(host, parts))
    raise UsageError(
        f"{host.url!r} is no address of a Docker Engine",
        hint="use unix:///path/to/docker.sock, tcp://host:port, https://host:port or ssh://host",
    )


class _Dial:
    """A `Dial` whose connections share nothing."""

    def __init__(self, dial: Callable[[], Awaitable[Connection]]) -> None:
        self._dial = dial

    async def __call__(self) -> Connection:
        return await self._dial()

    def close(self) -> None:
        """Nothing is shared."""


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise UsageError(f"{shown(url)!r} is no address of a Docker Engine") from None
    if parts.password is not None or (parts.username and parts.scheme != "ssh"):
        raise UsageError(
            f"{shown(url)} has a user or a password in it, which no Docker Engine asks for",
            hint="who may use an engine is told by certificates or by ssh's keys",
        )
    return parts


def _host_name(parts: SplitResult) -> str:
    try:
        return host_name(parts.hostname or "")
    except ValueError:
        raise UsageError(
            f"{parts.geturl()!r} is no address of a Docker Engine: no host can be called"
            f" {parts.hostname}",
            hint="a name has parts of at most 63 characters, joined by single dots",
        ) from None


def _network_dial(host: Host, parts: SplitResult) -> Callable[[], Awaitable[Connection]]:
    name = _host_name(parts)
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


async def _network(host: Host, name: str, port: int) -> Connection:
    """A connection to the engine's port, straight or through the proxy's tunnel."""
    if not host.proxy:
        return await _patient(host.url, tcp_stream(name, port, host.keepalive))
    from tracekeeper.engine.proxy import through_proxy

    return await through_proxy(host, name, port)


async def _patient(url: str, connecting: Awaitable[StreamConnection]) -> StreamConnection:
    """Raises EngineUnreachable naming `url` if there is no connection in time."""
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            return await connecting
    except TimeoutError:
        raise EngineUnreachable(
            f"no Docker Engine answers at {url} within {CONNECT_TIMEOUT:.0f} s"
        ) from None
    except OSError as error:
        raise EngineUnreachable(
            f"no Docker Engine can be reached at {url}: {reason(error)}"
        ) from error


def keepalive_of(connection: Connection) -> str:
    """The keepalive of a connection as the kernel has it, for people: ``off``, or ``none`` where it
    is not TCP."""
    if connection.socket.family == socket.AF_UNIX:
        return "none"
    found = options.read_back(connection.socket)
    return "off" if found is None else str(found)
