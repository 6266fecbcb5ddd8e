"""What an engine says of itself, and what of that matters to jobs. Pure but for asking it."""

import time
from collections.abc import AsyncIterator, Iterator
from datetime import datetime

import msgspec

from tracekeeper.engine.check.finding import Finding, error, note, ok, warning
from tracekeeper.engine.client import NEWEST, OLDEST, Engine, agreed_version

MOST_SKEW = 5.0
"""Seconds that two clocks may differ before their times in one log confuse people."""
MATTERS = ("memory", "swap", "cpu", "pids", "cgroup")
"""Words of those warnings of an engine that tell that a limit of a job will have no effect."""
JOB_DRIVER = "json-file"


class Plugins(msgspec.Struct, frozen=True, rename="pascal"):
    """Part of `Info`."""

    log: list[str] | None = None


class Info(msgspec.Struct, frozen=True, rename="pascal"):
    """``GET /info``."""

    driver: str = ""
    logging_driver: str = ""
    live_restore_enabled: bool = False
    os_type: str = msgspec.field(name="OSType", default="linux")
    warnings: list[str] | None = None
    system_time: str = ""
    plugins: Plugins = Plugins()


async def facts(engine: Engine) -> AsyncIterator[Finding]:
    """Ask the engine, and judge its answers. Raises EngineError."""
    version = engine.version
    yield ok(
        "api",
        f"API {agreed_version(version)} is spoken: the engine knows {version.min_api_version} to"
        f" {version.api_version}, we know {_dotted(OLDEST)} to {_dotted(NEWEST)}",
    )
    asked, began = time.time(), time.monotonic()
    info = await engine.call("GET", "/info", Info)
    took = time.monotonic() - began
    yield ok("engine", f"it is Docker {version.version} on {version.os}/{version.arch}")
    for finding in (*judged(info), *clock(info.system_time, asked, took)):
        yield finding


def judged(info: Info) -> Iterator[Finding]:
    """What `info` means for jobs."""
    if info.os_type != "linux":
        hint = "use an engine whose containers are Linux ones"
        yield error("os", f"its containers are {info.os_type} ones, and jobs need Linux", hint)
    yield _log_driver(info)
    yield _live_restore(info)
    if info.driver == "vfs":
        yield warning(
            "storage",
            "its storage driver is vfs: every container is a full copy of its image",
            "use overlay2; inside a container that takes a volume for /var/lib/docker",
        )
    for text in info.warnings or ():
        if any(word in text.lower() for word in MATTERS):
            sentence = f"it warns: {text.removeprefix('WARNING: ')}"
            yield note("limits", sentence, "a limit of that kind has no effect on jobs there")


def _log_driver(info: Info) -> Finding:
    known = info.plugins.log
    if known is not None and JOB_DRIVER not in known:
        return error(
            "log_driver",
            f"it has no {JOB_DRIVER} log driver, in which jobs keep their output",
            "use a Docker Engine that has it",
        )
    return ok(
        "log_driver",
        f"its containers log to {info.logging_driver} unless they say otherwise; jobs do, so that"
        " neither this nor its options (rotation) touch them",
    )


def _live_restore(info: Info) -> Finding:
    if info.live_restore_enabled:
        return ok("live_restore", "live-restore is on: jobs survive a restart of the daemon")
    return note(
        "live_restore",
        "live-restore is off: a restart of the daemon ends every job that runs there",
        'set "live-restore": true in its daemon.json',
    )


def clock(system_time: str, asked: float, took: float) -> Iterator[Finding]:
    """How far the engine's clock is from ours, which showed `asked` (seconds since the epoch)
    when it was asked; the answer `took` so many seconds, half of them until it was asked there."""
    try:
        theirs = datetime.fromisoformat(system_time).timestamp()
    except ValueError:
        yield note("clock", f"its clock cannot be read: {system_time!r}")
        return
    ahead = theirs - (asked + took / 2)
    if abs(ahead) <= MOST_SKEW:
        yield ok("clock", f"its clock is {abs(ahead) * 1000:.0f} ms from ours (±{took * 500:.0f})")
        return
    way = "ahead of" if ahead > 0 else "behind"
    yield warning(
        "clock",
        f"its clock is {abs(ahead):.0f} s {way} ours: the times in logs are the engine's",
        "set both clocks by NTP",
    )


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
