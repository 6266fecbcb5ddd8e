"""All checks of an engine, in the order in which one needs the other."""

from collections.abc import AsyncIterator, Callable
from typing import TypeAlias

from tracekeeper.engine.caution import cautions, how_to_speak_tls
from tracekeeper.engine.check.facts import facts
from tracekeeper.engine.check.finding import Finding, error, silent, warning
from tracekeeper.engine.check.legs import latency, legs
from tracekeeper.engine.check.ping import ANSWER, TIMEOUTS, is_silence
from tracekeeper.engine.check.quiet import quiet
from tracekeeper.engine.check.reach import reach
from tracekeeper.engine.check.secure import secure, speaks_tls
from tracekeeper.engine.client import Engine
from tracekeeper.engine.errors import EngineUnreachable, TlsFailure
from tracekeeper.engine.host import Host, shown
from tracekeeper.engine.transport import dialler
from tracekeeper.errors import EngineError

Findings: TypeAlias = AsyncIterator[Finding]


async def check(
    host: Host, *, idle: float = 0.0, begins: Callable[[str], None] = lambda _: None
) -> Findings:
    """Findings as they are made; after an error what needs the broken part is left out. `idle` is
    for how many seconds connections are to stay quiet, 0 for not at all. `begins` is told what is
    done next, for a person who waits for it.

    Raises UsageError for what is no address of an engine.
    """
    try:
        dialler(host).close()
    except TlsFailure as failure:
        yield error("files", failure.message, failure.hint or "correct the file or its name")
        return
    for sentence in cautions(host):
        yield warning("caution", sentence, "see docs/hosts.md")
    stages: tuple[tuple[str, Callable[[Host], Findings]], ...] = (
        ("connecting", _reach),
        ("agreeing on TLS", _secure),
        ("waiting for the engine's answers", _engine),
        (f"two connections stay quiet for {idle:g} s", lambda host: _quiet(host, idle)),
    )
    for what, stage in stages:
        broken = False
        begins(what)
        async for finding in _guarded(stage, host):
            broken = broken or finding.level == "error"
            yield finding
        if broken:
            return


async def _guarded(stage: Callable[[Host], Findings], host: Host) -> Findings:
    """The findings of a stage; what it cannot get over is one more."""
    try:
        async for finding in stage(host):
            yield finding
    except EngineUnreachable as failure:
        yield error("engine", failure.message, failure.hint or "look at the engine's own log")
    except EngineError as failure:
        yield error("engine", failure.message, "try again; if it lasts, look at the engine's log")


def _reach(host: Host) -> Findings:
    return reach(host)


async def _secure(host: Host) -> Findings:
    if host.tls is not None:
        async for finding in secure(host, host.tls):
            yield finding


async def _engine(host: Host) -> Findings:
    try:
        engine = await Engine.connect(host, timeouts=TIMEOUTS)
    except EngineUnreachable as failure:
        if is_silence(failure.__cause__):
            yield silent(shown(host.url), ANSWER)
            return
        if host.tls is None and host.url.startswith(("tcp:", "http:")) and await speaks_tls(host):
            yield error(
                "tls_port",
                f"{host.url} speaks TLS, and we speak plain HTTP to it",
                how_to_speak_tls(host.url),
            )
            return
        raise
    async with engine:
        async for finding in facts(engine):
            yield finding
        async for finding in legs(host):
            yield finding
        async for finding in latency(engine):
            yield finding


async def _quiet(host: Host, idle: float) -> Findings:
    if idle:
        async for finding in quiet(host, idle):
            yield finding
