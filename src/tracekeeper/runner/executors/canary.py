"""Whether an engine was restarted under a job, and may have lost output on the way to its log.

An engine that is killed forgets what it had read from a container and not yet written. With
live-restore the container goes on, and nothing but the engine's memory tells: an exec that was
created and never started is kept there alone, as long as its container runs; and so are the last
256 events. A connection from before that still answers is a proof of its own.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from tracekeeper.engine.client import Engine
from tracekeeper.errors import EngineError

FIRST = 1.0
"""Seconds that a container runs before it gets a canary; most end sooner."""

RESTARTED = (
    "the Docker Engine was restarted while the script ran: output that it had read and not yet"
    " written to its log may be lost"
)
FORGOTTEN = (
    "the connection to the Docker Engine broke at the end, and the engine does not remember when"
    " the script began: if it was restarted, output on the way to its log may be lost"
)


class Canary:
    """Tells a restarted engine from one to which only the connection broke. `name` is that of a
    canary which another process has left."""

    def __init__(self, engine: Engine, container: str, name: str = "") -> None:
        self._engine = engine
        self._container = container
        self.name = name
        """What it is called; empty where there is none."""

    async def set_out(self, *, wanted: Callable[[], bool]) -> None:
        """Leave the canary, soon, if it is still wanted then. Where that does not work there is
        none."""
        await asyncio.sleep(FIRST)
        if not wanted():
            return
        with suppress(EngineError):
            self.name = await self._engine.execs.create(self._container, ["true"])

    async def tells(self) -> bool | None:
        """True: the engine is the one that had it. False: it has forgotten it though the container
        runs, so it was restarted. None: that cannot be told. Raises EngineError."""
        if not self.name:
            return None
        if await self._engine.execs.knows(self.name):
            return True
        state = (await self._engine.containers.inspect(self._container)).state
        return False if state.running else None
