"""One start of a job's container, from before the start to the proven end of its output.

The engine is asked to watch for the exit before the container starts, so no exit is missed. The
output is the engine's log, followed (`Follow`); this is its driver. An attach, opened before the
start as well, shows unfinished lines; it is never the record.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import msgspec

from tracekeeper.engine.client import Engine
from tracekeeper.engine.containers import Waiting
from tracekeeper.engine.errors import ConnectionLost, EngineUnreachable
from tracekeeper.engine.follow import Ask, Follow, Piece, Read
from tracekeeper.engine.models import ContainerState
from tracekeeper.errors import EngineError
from tracekeeper.runner.executors.base import Output
from tracekeeper.runner.executors.preview import Preview

PATIENCE = 60.0
"""Seconds for an engine that cannot be reached to come back."""
EXIT_DELAY = 0.5
"""Seconds between the end of a log and the news of the exit, before the engine is asked."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0


class Ended(msgspec.Struct, frozen=True):
    """The container has ended, and its log has been read as far as it goes."""

    state: ContainerState
    follow: Follow


class ContainerRun:
    """Starts a container and delivers its output. Call `run` once."""

    def __init__(self, engine: Engine, container: str, follow: Follow, output: Output) -> None:
        self._engine = engine
        self._container = container
        self._follow = follow
        self._output = output
        self._preview = Preview(output)
        self._exit: asyncio.Task[int] | None = None

    async def run(self, nonce: str) -> Ended:
        """Start, deliver, and come back when it has ended.

        Raises EngineRefused if it cannot be started, EngineError if the engine is gone for good.
        """
        containers = self._engine.containers
        async with (
            self._previewing(nonce),
            containers.wait(self._container, "next-exit") as waiting,
        ):
            await containers.start(self._container)
            async with self._watching(waiting):
                await self._deliver_all()
        return Ended((await self._inspect()), self._follow)

    async def _deliver_all(self) -> None:
        pauses = _Pauses()
        while (want := self._follow.wants) is not None:
            before = self._follow.position
            if isinstance(want, Ask):
                self._follow.answered(running=await self._running())
                continue
            await self._read(want, pauses)
            if self._follow.position != before:
                pauses = _Pauses()

    async def _read(self, want: Read, pauses: "_Pauses") -> None:
        broken = False
        try:
            async with self._engine.containers.logs(
                self._container, follow=want.follow, tail=want.tail
            ) as chunks:
                async for chunk in chunks:
                    self._deliver(self._follow.feed(chunk))
                    if self._follow.short:
                        break
        except (ConnectionLost, EngineUnreachable) as error:
            broken = True
            await pauses.wait(error)
        self._deliver(self._follow.ended(broken=broken))

    def _deliver(self, pieces: Iterable[Piece]) -> None:
        for piece in pieces:
            self._preview.withdraw()
            self._output.write(piece.data, at=piece.at)

    async def _running(self) -> bool:
        assert self._exit is not None
        await asyncio.wait({self._exit}, timeout=EXIT_DELAY)
        if self._exit.done() and self._exit.exception() is None:
            return False
        return (await self._inspect()).running

    async def _inspect(self) -> ContainerState:
        pauses = _Pauses()
        while True:
            try:
                return (await self._engine.containers.inspect(self._container)).state
            except (ConnectionLost, EngineUnreachable) as error:
                await pauses.wait(error)

    @asynccontextmanager
    async def _watching(self, waiting: Waiting) -> AsyncIterator[None]:
        self._exit = asyncio.create_task(waiting.exit_code())
        try:
            yield
        finally:
            await _end(self._exit)

    @asynccontextmanager
    async def _previewing(self, nonce: str) -> AsyncIterator[None]:
        async with self._engine.containers.attach(self._container) as frames:
            task = asyncio.create_task(self._preview.show(frames, nonce))
            try:
                yield
            finally:
                await _end(task)
                self._preview.withdraw()


class _Pauses:
    """Longer and longer pauses while an engine is away; raises when patience is at its end."""

    def __init__(self) -> None:
        self._pause = _FIRST_PAUSE
        self._until = time.monotonic() + PATIENCE

    async def wait(self, error: EngineError) -> None:
        if time.monotonic() > self._until:
            raise error
        await asyncio.sleep(self._pause)
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)


async def _end(task: asyncio.Task[object]) -> None:
    """Cancel a task whose result no longer matters."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
