"""The logs of a job's services in its trace, where CI_DEBUG_SERVICES asks for them.

They are shown while the job's scripts run and while services get ready; nothing may be written to
a trace that is finished.
Source: GitLab docs, "Services", "Capturing service container logs".
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

from tracekeeper.engine.client import Engine
from tracekeeper.engine.frames import FrameDecoder
from tracekeeper.engine.tasks import Backoff, end
from tracekeeper.errors import EngineError
from tracekeeper.runner.executors.base import Output
from tracekeeper.runner.executors.service_lines import Lines

LAST_LINES = 2.0
"""Seconds for what a service wrote last to be read when a script has ended."""
PATIENCE = 30.0
"""Seconds for a service's log to be readable again after a break."""


_Place: TypeAlias = tuple[bytes, int]
"""The time of the newest entry that was shown of a stream, and how many were shown of that time."""
_START: _Place = (b"", 0)


class ServiceLogs:
    """The logs of `services`: what each is called, and its container."""

    def __init__(self, engine: Engine, services: Sequence[tuple[str, str]]) -> None:
        self._logs = [_Log(engine, *service) for service in services]

    @asynccontextmanager
    async def shown(self, output: Output) -> AsyncIterator[None]:
        """Show in the trace what the services write from the last time on, while this lasts."""
        tasks = [asyncio.create_task(log.follow(output)) for log in self._logs]
        try:
            yield
        finally:
            await end(*tasks)
            with suppress(TimeoutError, EngineError):
                async with asyncio.timeout(LAST_LINES):
                    await asyncio.gather(*(log.show(output, follow=False) for log in self._logs))


class _Log:
    def __init__(self, engine: Engine, name: str, container: str) -> None:
        self._engine = engine
        self._name = name
        self._container = container
        self._seen: dict[int, _Place] = {}
        self._lines = Lines()

    async def follow(self, output: Output) -> None:
        """Show what is written until the service ends; a break is told where it does not heal."""
        backoff = Backoff(PATIENCE)
        while True:
            try:
                await self.show(output, follow=True)
                return self._note(output, self._lines.rest())
            except EngineError as error:
                try:
                    await backoff.pause(error)
                except EngineError:
                    return output.note(f"WARNING: [service:{self._name}] {error.message}")

    async def show(self, output: Output, *, follow: bool) -> None:
        """Show what is newer than the last entries seen."""
        decoder, before = FrameDecoder(), dict(self._seen)
        async with self._engine.containers.logs(self._container, follow=follow) as chunks:
            async for chunk in chunks:
                for stream, entry in decoder.feed(chunk):
                    time, _, text = entry.partition(b" ")
                    if _is_new(stream, time, before):
                        self._note_place(stream, time)
                        self._note(output, self._lines.add((stream, text)))

    def _note(self, output: Output, lines: Sequence[str]) -> None:
        for line in lines:
            output.note(f"[service:{self._name}] {line}")

    def _note_place(self, stream: int, time: bytes) -> None:
        newest, count = self._seen.get(stream, _START)
        self._seen[stream] = (time, count + 1 if time == newest else 1)


def _is_new(stream: int, time: bytes, before: dict[int, _Place]) -> bool:
    """Whether an entry comes after the place `before` on its stream; entries at that very time
    are counted down there. Times are of one form (RFC 3339, nanoseconds) and compare as text."""
    newest, count = before.get(stream, _START)
    if time == newest and count:
        before[stream] = (newest, count - 1)
        return False
    return time >= newest
