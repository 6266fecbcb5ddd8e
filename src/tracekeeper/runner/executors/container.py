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
from tracekeeper.engine.errors import ConnectionLost, EngineRefused, EngineUnreachable
from tracekeeper.engine.follow import Ask, Follow, Piece, Read
from tracekeeper.engine.models import ContainerState
from tracekeeper.engine.tasks import Backoff, end
from tracekeeper.errors import EngineError
from tracekeeper.runner.executors.base import Output
from tracekeeper.runner.executors.preview import Preview

PATIENCE = 60.0
"""Seconds for an engine that cannot be reached to come back."""
TELL_AFTER = 1.0
"""Seconds without a connection after which that is told, before it is known how it ends."""
EXIT_DELAY = 0.5
"""Seconds between the end of a log and the news of the exit, before the engine is asked."""
RESTARTED = (
    "the Docker Engine was restarted while the script ran, or has forgotten when it began: output"
    " that it had read and not yet written to its log may be lost"
)


class StartRefused(EngineError):
    """The engine cannot start the container; `reason` is its own sentence."""

    def __init__(self, refused: EngineRefused) -> None:
        super().__init__(refused.message)
        self.reason = refused.reason


class Ended(msgspec.Struct, frozen=True):
    """The container has ended, and its log has been read as far as it goes."""

    state: ContainerState
    exit_status: int | None
    doubt: str


class ContainerRun:
    """Starts a container and delivers its output. Call `run` once.

    `follow` stands where the container's log has been taken to, and waits for the end marker with
    `nonce`.
    """

    def __init__(
        self, engine: Engine, container: str, follow: Follow, nonce: str, output: Output
    ) -> None:
        self._containers = engine.containers
        self._container = container
        self._follow = follow
        self._output = output
        before = follow.position.seen
        self._preview = Preview(output, nonce, lambda: follow.position.seen - before)
        self._backoff = Backoff(PATIENCE)
        self._was_cut = False
        self._break = Break(output)

    async def run(self) -> Ended:
        """Start, deliver, and come back when it has ended.

        Raises StartRefused; EngineRefused if the container was removed meanwhile; another
        EngineError if the engine is gone for good.
        """
        async with (
            self._previewing(),
            self._containers.wait(self._container, "next-exit") as waiting,
        ):
            try:
                await self._containers.start(self._container)
            except EngineRefused as error:
                raise StartRefused(error) from error
            await self._deliver_all(waiting)
        state = await self._inspect()
        return Ended(state, self._follow.exit_status, self._follow.doubt or await self._forgotten())

    async def _deliver_all(self, waiting: Waiting) -> None:
        exited = asyncio.create_task(waiting.exit_code())
        try:
            while (want := self._follow.wants) is not None:
                if isinstance(want, Ask):
                    await self._ask(exited)
                else:
                    await self._read(want)
        finally:
            await end(exited)

    async def _ask(self, exited: asyncio.Task[int]) -> None:
        running = await self._is_running(exited)
        self._follow.answered(running=running)
        if running:
            await self._backoff.pause()

    async def _is_running(self, exited: asyncio.Task[int]) -> bool:
        await asyncio.wait({exited}, timeout=EXIT_DELAY)
        if exited.done() and exited.exception() is None:
            return False
        if exited.done():
            self._cut()
        return (await self._inspect()).running

    async def _read(self, want: Read) -> None:
        broken = False
        try:
            async with self._containers.logs(
                self._container, follow=want.follow, tail=want.tail
            ) as chunks:
                async for chunk in chunks:
                    self._deliver(self._follow.feed(chunk))
                    if self._follow.short:
                        break
                    if self._follow.settled:
                        self._backoff.reset()
                        self._break.mended()
        except (ConnectionLost, EngineUnreachable) as error:
            broken = True
            self._cut()
            self._break.met(error)
            await self._backoff.pause(error)
        self._deliver(self._follow.ended(broken=broken))

    def _deliver(self, pieces: Iterable[Piece]) -> None:
        for piece in pieces:
            self._preview.withdraw()
            self._output.write(piece.data, at=piece.at)

    def _cut(self) -> None:
        """A connection broke. What the log has up to the end marker, it has whole."""
        self._was_cut = self._was_cut or self._follow.exit_status is None

    async def _forgotten(self) -> str:
        """Why output may be missing of a log that looks complete: an engine that was killed loses
        what is on its way through its memory, and only a broken connection tells of it."""
        while self._was_cut:
            try:
                remembered = await self._containers.remembers_start(self._container)
            except (ConnectionLost, EngineUnreachable) as error:
                await self._backoff.pause(error)
            else:
                return "" if remembered else RESTARTED
        return ""

    async def _inspect(self) -> ContainerState:
        while True:
            try:
                return (await self._containers.inspect(self._container)).state
            except (ConnectionLost, EngineUnreachable) as error:
                self._break.met(error)
                await self._backoff.pause(error)

    @asynccontextmanager
    async def _previewing(self) -> AsyncIterator[None]:
        async with self._containers.attach(self._container) as frames:
            task = asyncio.create_task(self._preview.show(frames))
            try:
                yield
            finally:
                await end(task)
                self._preview.end()


class Break:
    """Tells in the trace that the connection to the engine broke, and that it is back."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._since: float | None = None
        self._why = ""
        self._told = False

    def met(self, error: EngineError) -> None:
        """The connection broke, or still cannot be had."""
        now = time.monotonic()
        if self._since is None:
            self._since, self._why = now, error.message
        elif not self._told and now - self._since > TELL_AFTER:
            self._told = True
            self._output.note(f"WARNING: {error.message}; trying again for {PATIENCE:.0f} s")

    def mended(self) -> None:
        """The log is read on."""
        if self._since is None:
            return
        seconds = time.monotonic() - self._since
        self._since, self._told = None, False
        self._output.note(
            f"WARNING: the connection to the Docker Engine broke ({self._why}); after"
            f" {seconds:.1f} s the log goes on where it had stopped"
        )
