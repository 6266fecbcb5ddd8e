"""Whether an engine was restarted under a job, and may have lost output on the way to its log.

An engine that is killed forgets what it had read from a container and not yet written. With
live-restore the container goes on, and nothing but the engine's memory tells: an exec that was
created and never started is kept there alone, as long as its container runs; and so are the last
256 events. A connection from before that still answers is a proof of its own.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from tracekeeper.engine.containers import Containers
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

    def __init__(self, containers: Containers, container: str, name: str = "") -> None:
        self._containers = containers
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
            self.name = await self._containers.leave_exec(self._container)

    async def lives(self) -> bool:
        """True if the engine is the one that had it: it was not restarted. Raises EngineError."""
        return bool(self.name) and await self._containers.knows_exec(self.name)

    async def died(self) -> bool:
        """True if the engine has forgotten it though the container runs: it was restarted.
        Raises EngineError."""
        if not self.name or await self._containers.knows_exec(self.name):
            return False
        return (await self._containers.inspect(self._container)).state.running
