"""A tunnel through an HTTP proxy: CONNECT (RFC 9110 §9.3.6).

The proxy only passes bytes on, so TLS is spoken with the engine itself. Keepalives do not cross a
proxy: ours tell that the proxy is alive, and who listens beyond it is asked by other means.
"""

import asyncio
import base64
import socket
from urllib.parse import unquote, urlsplit

import h11
import msgspec

from tracekeeper.engine.connection import CONNECT_TIMEOUT, Connection
from tracekeeper.engine.errors import ConnectionLost, EngineUnreachable
from tracekeeper.engine.host import Host, Tls, shown
from tracekeeper.engine.stream import host_name, reason, tcp_stream
from tracekeeper.errors import UsageError

_PORTS = {"http": 80, "https": 443}


class _Proxy(msgspec.Struct, frozen=True):
    tls: bool
    name: str
    port: int
    credentials: str


def check_proxy(url: str) -> None:
    """Raises UsageError if `url` names no HTTP proxy."""
    _proxy(url)


async def through_proxy(host: Host, name: str, port: int) -> Connection:
    """A connection to `name`:`port` through the proxy of `host`.

    Raises UsageError for a bad proxy URL, EngineUnreachable.
    """
    proxy = _proxy(host.proxy)
    about = f"the proxy {proxy.name} on the way to {host.url}"
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            connection = await _dial(host, proxy)
            try:
                early = await _tunnel(connection, name, port, proxy.credentials)
            except BaseException:
                connection.close()
                raise
    except TimeoutError:
        raise EngineUnreachable(f"{about} does not answer in {CONNECT_TIMEOUT:.0f} s") from None
    except OSError as error:
        raise EngineUnreachable(f"{about} cannot be reached: {reason(error)}") from error
    except ConnectionLost as error:
        raise EngineUnreachable(f"{about} makes no tunnel: {error.message}") from error
    return _Tunnel(connection, early) if early else connection


def _proxy(url: str) -> _Proxy:
    try:
        parts = urlsplit(url)
        name, port = host_name(parts.hostname or ""), parts.port
    except ValueError:
        parts, name, port = urlsplit(""), "", None
    if parts.scheme not in _PORTS:
        raise UsageError(
            f"{shown(url)!r} is no HTTP proxy",
            hint="use http://[user:password@]host:port; special characters of a password as %XX",
        )
    return _Proxy(
        tls=parts.scheme == "https",
        name=name,
        port=port or _PORTS[parts.scheme],
        credentials=_credentials(parts.username, parts.password or ""),
    )


def _credentials(username: str | None, password: str) -> str:
    if username is None:
        return ""
    return base64.b64encode(f"{unquote(username)}:{unquote(password)}".encode()).decode()


async def _dial(host: Host, proxy: _Proxy) -> Connection:
    raw = await tcp_stream(proxy.name, proxy.port, host.keepalive)
    if not proxy.tls:
        return raw
    from tracekeeper.engine.tls import over_tls, tls_context

    keylog = host.tls.keylog if host.tls else ""
    context = tls_context(Tls(keylog=keylog))
    return await over_tls(raw, context, proxy.name, timeout=CONNECT_TIMEOUT)


async def _tunnel(connection: Connection, name: str, port: int, credentials: str) -> bytes:
    """Ask for the tunnel; what has come through it already. Raises ConnectionLost with the
    proxy's own answer."""
    target = f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
    headers = [("Host", target)]
    if credentials:
        headers.append(("Proxy-Authorization", f"Basic {credentials}"))
    parser = h11.Connection(h11.CLIENT)
    request = h11.Request(method="CONNECT", target=target, headers=headers)
    await connection.write(parser.send(request) or b"")
    try:
        while not isinstance(event := parser.next_event(), h11.Response):
            if event is h11.NEED_DATA:
                parser.receive_data(await connection.read())
    except h11.RemoteProtocolError as error:
        raise ConnectionLost(f"it does not answer as an HTTP proxy does ({error})") from error
    if not 200 <= event.status_code < 300:
        raise ConnectionLost(f"{event.status_code} {event.reason.decode('latin-1')}".strip())
    return parser.trailing_data[0]


class _Tunnel:
    """A `Connection` whose other side spoke at once, as an SSH server does: its first bytes came
    together with the proxy's answer."""

    def __init__(self, inner: Connection, early: bytes) -> None:
        self._inner = inner
        self._early = early
        self.write, self.write_eof, self.close = inner.write, inner.write_eof, inner.close

    async def read(self) -> bytes:
        """See `Connection.read`."""
        early, self._early = self._early, b""
        return early or await self._inner.read()

    @property
    def socket(self) -> socket.socket:
        """See `Connection.socket`."""
        return self._inner.socket

    @property
    def usable(self) -> bool:
        """See `Connection.usable`."""
        return self._inner.usable
