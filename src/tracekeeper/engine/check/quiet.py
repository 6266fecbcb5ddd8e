"""An experiment: does a connection survive that nothing is said on it for a while?

Two are made, one with keepalives as `run` has them and one without. Both are quiet for so long,
and are then used. So it shows whether the path forgets, and whether keepalives prevent that.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Literal, TypeAlias

import msgspec
from msgspec.structs import replace

from tracekeeper.engine.check.finding import Finding, error, ok, warning
from tracekeeper.engine.check.ping import is_silence, ping
from tracekeeper.engine.connection import Connection
from tracekeeper.engine.errors import ConnectionLost
from tracekeeper.engine.host import Host
from tracekeeper.engine.transport import dialler
from tracekeeper.errors import EngineError

End: TypeAlias = Literal["survived", "dropped", "reset", "closed"]
_HOW = {
    "dropped": "its packets vanish, nothing answers",
    "reset": "it was reset",
    "closed": "the other side closed it",
}


class Outcome(msgspec.Struct, frozen=True):
    """What became of a quiet connection, and after how many seconds that was known."""

    end: End
    after: float

    def __str__(self) -> str:
        if self.end == "survived":
            return "survived"
        return f"was lost ({_HOW[self.end]}; known after {self.after:.0f} s)"


async def quiet(host: Host, seconds: float) -> AsyncIterator[Finding]:
    """Stay quiet for so many seconds on two connections to `host`. Raises EngineUnreachable."""
    bare = replace(host, keepalive=None)
    kept, forgotten = await asyncio.gather(_outcome(host, seconds), _outcome(bare, seconds))
    yield judged(kept, forgotten, seconds)
    if "survived" not in (kept.end, forgotten.end) and not await _answers(host):
        hint = "look at the engine first: it may have been down meanwhile"
        yield error("idle", "the engine does not answer on a fresh connection either", hint)


def judged(kept: Outcome, forgotten: Outcome, seconds: float) -> Finding:
    """What the two outcomes, with keepalives and without, mean."""
    both = f"quiet for {seconds:g} s, a connection with our keepalives {kept}"
    other = f"one without {forgotten}"
    if kept.end == "survived" and forgotten.end == "survived":
        return ok("idle", f"{both}, and {other}: the path does not forget so soon")
    if kept.end == "survived":
        return ok("idle", f"{both}, {other}: the path forgets, and our keepalives prevent it")
    hint = (
        "set an idle budget below that limit (`idle` in [runners.docker.connection]), or a"
        " keepalive that is well below it"
    )
    if forgotten.end == "survived":
        return warning("idle", f"{both}, though {other}", "repeat it; it may have been chance")
    return error("idle", f"{both}, and {other}", hint)


async def _outcome(host: Host, seconds: float) -> Outcome:
    dial = dialler(host)
    began = time.monotonic()
    connection = await dial()
    try:
        end = await _end(connection, seconds)
    finally:
        connection.close()
        dial.close()
    return Outcome(end, time.monotonic() - began)


async def _end(connection: Connection, seconds: float) -> End:
    try:
        await ping(connection)
        try:
            async with asyncio.timeout(seconds):
                return "closed" if not await connection.read() else "survived"
        except TimeoutError:
            await ping(connection)
    except ConnectionLost as lost:
        return _how(lost)
    return "survived"


def _how(lost: ConnectionLost) -> End:
    if isinstance(lost.__cause__, ConnectionResetError | BrokenPipeError):
        return "reset"
    return "dropped" if is_silence(lost) else "closed"


async def _answers(host: Host) -> bool:
    dial = dialler(host)
    try:
        connection = await dial()
        try:
            await ping(connection)
        finally:
            connection.close()
    except EngineError:
        return False
    finally:
        dial.close()
    return True
