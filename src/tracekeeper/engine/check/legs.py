"""Both ends of a connection to an engine: keepalives as the kernel has them, and speed."""

import asyncio
import socket
import statistics
import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from tracekeeper.engine.check.finding import Finding, note, ok, warning
from tracekeeper.engine.check.ping import ping
from tracekeeper.engine.client import Engine
from tracekeeper.engine.connection import Connection
from tracekeeper.engine.host import Host
from tracekeeper.engine.transport import dialler
from tracekeeper.sockets import diag, options

PINGS, FRESH = 5, 3
SETTLING = 0.05
"""Seconds between looks at a timer that is still about data: an acknowledgement may be delayed."""
LOOKS = 20


async def legs(host: Host) -> AsyncIterator[Finding]:
    """What the two ends of a connection do while it is quiet. Raises EngineUnreachable."""
    scheme = urlsplit(host.url).scheme
    if scheme == "unix":
        yield ok("keepalive", "no network lies between: nothing forgets a quiet connection")
        return
    if scheme == "ssh":
        yield note("keepalive", "ssh owns the connection and sends its own signs of life over it")
        return
    dial = dialler(host)
    connection = await dial()
    try:
        await ping(connection)  # once the engine has answered, it has done to its end what it does
        yield ours(connection.socket, host)
        if host.proxy:
            sentence = "keepalives end at the proxy: what lies beyond it is not kept awake by ours"
            yield note("engine_keepalive", sentence, "`--idle N` shows whether it forgets")
        else:
            yield await _theirs(connection)
    finally:
        connection.close()
        dial.close()


def ours(sock: socket.socket, host: Host) -> Finding:
    """Our end, as the kernel has it."""
    found = options.read_back(sock)
    if found is None:
        return warning(
            "keepalive",
            "our end sends no keepalives: a firewall may forget a quiet connection",
            "let them be on; jobs ask by a fresh connection instead, and replace quiet ones",
        )
    sentence = (
        f"our end asks after {found.idle} s of silence, then every {found.interval} s, and gives up"
        f" after {found.count} unanswered times; data may be unacknowledged for"
        f" {found.user_timeout} s"
    )
    if host.keepalive is not None and found != host.keepalive:
        hint = "the system does not take what was set"
        return warning("keepalive", sentence, hint)
    return ok("keepalive", sentence)


async def _theirs(connection: Connection) -> Finding:
    """The engine's end, if it is on this machine."""
    local, remote = connection.socket.getsockname()[:2], connection.socket.getpeername()[:2]
    try:
        found = await _settled(remote, local)
    except OSError:
        found = None
    if found is None:
        return note(
            "engine_keepalive",
            "the engine's end cannot be seen from here; it need not be, for our keepalives keep"
            " both directions awake",
        )
    if found.kind != "keepalive":
        return note(
            "engine_keepalive",
            "the engine's end sends no keepalives: it does not notice when we are gone; ours keep"
            " the way awake all the same",
        )
    return ok(
        "engine_keepalive",
        f"the engine's end sends keepalives too, the next one in {found.remaining:.1f} s",
    )


async def _settled(local: diag.Address, remote: diag.Address) -> diag.Timer | None:
    """The timer of a socket once it is not about data any more."""
    for _ in range(LOOKS):
        found = await asyncio.to_thread(diag.timer_anywhere, local, remote)
        if found is None or found.kind not in {"retransmit", "probe"}:
            return found
        await asyncio.sleep(SETTLING)
    return found


async def latency(engine: Engine) -> AsyncIterator[Finding]:
    """How long an answer takes, and a new connection. Raises EngineError."""
    pings = [await _seconds(engine) for _ in range(PINGS)]
    yield ok("latency", f"an answer takes {_milliseconds(pings)} (median of {PINGS})")
    fresh = []
    for _ in range(FRESH):
        began = time.monotonic()
        async with await Engine.connect(engine.host):
            fresh.append(time.monotonic() - began)
    yield ok("connecting", f"a new connection takes {_milliseconds(fresh)} (median of {FRESH})")


async def _seconds(engine: Engine) -> float:
    began = time.monotonic()
    await engine.ping()
    return time.monotonic() - began


def _milliseconds(seconds: list[float]) -> str:
    return f"{statistics.median(seconds) * 1000:.1f} ms"
