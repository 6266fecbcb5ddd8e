"""A tunnel through an HTTP proxy: CONNECT (RFC 9110 §9.3.6).

The proxy only passes bytes on, so TLS is spoken with the engine itself. Keepalives do not cross a
proxy: ours tell that the proxy is alive, and who listens beyond it is asked by other means.
"""

import asyncio
import base64
from urllib.parse import unquote, urlsplit

import h11

from tracekeeper.engine.connection import CONNECT_TIMEOUT, Connection
from tracekeeper.engine.errors import ConnectionLost, EngineUnreachable
from tracekeeper.engine.host import Host
from tracekeeper.engine.transport import stream, tcp_socket
from tracekeeper.errors import UsageError

_PORTS = {"http": 80, "https": 443}


async def through_proxy(host: Host, name: str, port: int) -> Connection:
    """A connection to `name`:`port` through the proxy of `host`.

    Raises UsageError for a bad proxy URL, EngineUnreachable.
    """
    proxy = urlsplit(host.proxy)
    if proxy.scheme not in _PORTS or not proxy.hostname:
        raise UsageError(
            f"{proxy.hostname or host.proxy!r} is no HTTP proxy", hint="use http://host:port"
        )
    about = f"the proxy {proxy.hostname} on the way to {host.url}"
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            connection = await _dial(host, proxy.scheme, proxy.hostname, proxy.port)
            try:
                await _tunnel(connection, name, port, _credentials(host.proxy))
            except BaseException:
                connection.close()
                raise
    except TimeoutError:
        raise EngineUnreachable(f"{about} does not answer in {CONNECT_TIMEOUT:.0f} s") from None
    except OSError as error:
        why = error.strerror or str(error)
        raise EngineUnreachable(f"{about} cannot be reached: {why}") from error
    except ConnectionLost as error:
        raise EngineUnreachable(f"{about} makes no tunnel: {error.message}") from error
    return connection


async def _dial(host: Host, scheme: str, name: str, port: int | None) -> Connection:
    raw = await stream(await tcp_socket(name, port or _PORTS[scheme], host.keepalive))
    if scheme == "http":
        return raw
    import ssl

    from tracekeeper.engine.tls import over_tls

    return await over_tls(raw, ssl.create_default_context(), name, timeout=CONNECT_TIMEOUT)


async def _tunnel(connection: Connection, name: str, port: int, credentials: str) -> None:
    """Ask for the tunnel. Raises ConnectionLost with the proxy's own answer."""
    target = f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
    headers = [("Host", target)]
    if credentials:
        headers.append(("Proxy-Authorization", f"Basic {credentials}"))
    parser = h11.Connection(h11.CLIENT)
    request = h11.Request(method="CONNECT", target=target, headers=headers)
    await connection.write(parser.send(request) or b"")
    try:
        while (event := parser.next_event()) is h11.NEED_DATA:
            parser.receive_data(await connection.read())
    except h11.RemoteProtocolError as error:
        raise ConnectionLost(f"it does not answer as an HTTP proxy does ({error})") from error
    assert isinstance(event, h11.Response), "the first event of an answer is its head"
    if not 200 <= event.status_code < 300:
        raise ConnectionLost(f"{event.status_code} {event.reason.decode('latin-1')}".strip())
    if parser.trailing_data[0]:
        raise ConnectionLost("it sent bytes before anything was asked")


def _credentials(proxy: str) -> str:
    parts = urlsplit(proxy)
    if parts.username is None:
        return ""
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return base64.b64encode(pair.encode()).decode()
