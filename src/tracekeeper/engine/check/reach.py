"""Whether anything can be reached where the engine should be: socket file, names, addresses."""

import asyncio
import errno
import socket
import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from msgspec.structs import replace

from tracekeeper.engine.check.finding import Finding, error, ok, warning
from tracekeeper.engine.connection import CONNECT_TIMEOUT
from tracekeeper.engine.errors import EngineUnreachable
from tracekeeper.engine.host import PLAIN_PORT, TLS_PORT, Host
from tracekeeper.engine.stream import reason
from tracekeeper.engine.transport import dialler

_NOTHING_LISTENS = "start the engine, or correct the port; a firewall may also refuse in its name"
_HINTS = {
    errno.ENOENT: "start the engine, or name another with DOCKER_HOST or a docker context",
    errno.EACCES: "become a member of the group that owns the socket (most often `docker`)",
    errno.ECONNREFUSED: _NOTHING_LISTENS,
}
_UNREACHED = "check the address, the routes and the firewalls on the way"


def below_tls(host: Host) -> Host:
    """The same port, spoken to without TLS."""
    parts = urlsplit(host.url)
    name = parts.hostname or ""
    port = parts.port or (PLAIN_PORT if host.tls is None else TLS_PORT)
    where = f"[{name}]" if ":" in name else name
    return replace(host, url=f"tcp://{where}:{port}", tls=None)


async def reach(host: Host) -> AsyncIterator[Finding]:
    """Tries to connect, each address by itself. An error is said only if nothing connects."""
    parts = urlsplit(host.url)
    if parts.scheme in {"tcp", "http", "https"} and not host.proxy:
        async for finding in _addresses(host):
            yield finding
        return
    yield await _dialled(host if parts.scheme in {"unix", "ssh"} else below_tls(host))


async def _dialled(host: Host) -> Finding:
    """A connection as `run` makes it: to a UNIX socket, through ssh or a proxy."""
    began = time.monotonic()
    dial = dialler(host)
    try:
        (await dial()).close()
    except EngineUnreachable as failure:
        number = getattr(failure.__cause__, "errno", None)
        return error("reach", failure.message, failure.hint or _HINTS.get(number or 0, _UNREACHED))
    finally:
        dial.close()
    way = " through the proxy" if host.proxy else ""
    return ok("reach", f"{host.url} is reached{way} in {_milliseconds(began)}")


async def _addresses(host: Host) -> AsyncIterator[Finding]:
    parts = urlsplit(below_tls(host).url)
    name, port = parts.hostname or "", parts.port
    try:
        found = await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except socket.gaierror as failure:
        hint = "check the name, and this machine's DNS"
        yield error("dns", f"{name} has no address: {reason(failure)}", hint)
        return
    tried = [await _address(family, where) for family, _, _, _, where in found]
    if any(finding.level == "ok" for finding in tried):
        for finding in tried:
            yield _although(finding)
    else:
        for finding in tried:
            yield finding


def _although(finding: Finding) -> Finding:
    """A failure to connect, where another address works."""
    if finding.level == "ok":
        return finding
    hint = "jobs use another address; take this one out of the DNS, or mend it"
    return warning(finding.code, finding.sentence, hint)


async def _address(family: int, where: tuple[object, ...]) -> Finding:
    shown = f"{where[0]} port {where[1]}"
    began = time.monotonic()
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.setblocking(False)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await asyncio.get_running_loop().sock_connect(sock, where)
        except TimeoutError:
            return error(
                "reach",
                f"{shown} does not answer within {CONNECT_TIMEOUT:.0f} s",
                "a firewall drops what we send, or the machine is off",
            )
        except OSError as failure:
            hint = _HINTS.get(failure.errno or 0, _UNREACHED)
            return error("reach", f"{shown} cannot be reached: {reason(failure)}", hint)
    return ok("reach", f"{shown} is reached in {_milliseconds(began)}")


def _milliseconds(since: float) -> str:
    return f"{(time.monotonic() - since) * 1000:.1f} ms"
