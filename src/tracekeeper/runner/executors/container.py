"""One start of a job's container, from before the start to the proven end of its output.

The engine is asked to watch for the exit before the container starts, so no exit is missed. The
output is the engine's log, followed (`Follow`); this is its driver. An attach, opened before the
start as well, shows unfinished lines where that is safe; it is never the record.

Nothing waits for ever. A dead peer is noticed by the kernel's keepalive. A silence may also be a
frozen engine, or a host or a connection that died behind a proxy: so an engine that is quiet is
asked, over a new connection, for the container and for the end of its log. And where a quiet
connection cannot be trusted at all (`Host.renew_after`), the log is read on over another one
before it can have been forgotten.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from enum import Enum, auto

import msgspec

from tracekeeper.engine.client import Engine
from tracekeeper.engine.containers import Waiting
from tracekeeper.engine.errors import (
    ConnectionLost,
    EngineRefused,
    EngineUnreachable,
    StreamBrokenOff,
)
from tracekeeper.engine.follow import Ask, Follow, Piece, Read
from tracekeeper.engine.frames import FrameDecoder
from tracekeeper.engine.models import ContainerState
from tracekeeper.engine.tasks import Backoff, end, first
from tracekeeper.errors import EngineError
from tracekeeper.runner.executors.base import Output
from tracekeeper.runner.executors.canary import FORGOTTEN, RESTARTED, Canary
from tracekeeper.runner.executors.preview import Preview
from tracekeeper.runner.executors.story import Story

QUESTION = 20.0
"""Seconds of silence after which the engine is asked whether it is there. With the time that it
has to answer, a dead host is known within 45 s."""
REREAD = 100_000
"""So many entries of a log are read a second time where there is no attach as another witness: of a
log with holes, which a full disk leaves, two readings hardly ever give the same."""
EXIT_DELAY = 2.0
"""Seconds between the end of a log and the news of the exit, before the engine is asked."""


class StartRefused(EngineError):
    """The engine cannot start the container; `reason` is its own sentence."""

    def __init__(self, refused: EngineRefused) -> None:
        super().__init__(refused.message)
        self.reason = refused.reason


class HostGone(EngineError):
    """The engine broke off and did not come back for as long as the job may wait."""

    code = "engine_gone"


class Ended(msgspec.Struct, frozen=True):
    """The container has ended, and its log has been read as far as it goes."""

    state: ContainerState
    exit_status: int | None
    doubt: str


class _Reading(Enum):
    """Why a reading of the log came to its end, where no connection broke."""

    END = auto()  # the engine ended it
    RENEW = auto()  # we do, before it can be forgotten
    STUCK = auto()  # the container has ended, and the stream has not


class ContainerRun:
    """Starts a container, or takes up one that runs, and delivers its output. Call `run` or
    `take_up` once. `delivered` is called when all has been written that `follow` has taken.

    `follow` stands where the container's log has been taken to, and waits for the end marker with
    `nonce`.
    """

    def __init__(
        self,
        engine: Engine,
        container: str,
        follow: Follow,
        nonce: str,
        output: Output,
        *,
        delivered: Callable[[], None] = lambda: None,
        canary: str = "",
    ) -> None:
        self._engine = engine
        self._containers = engine.containers
        self._container = container
        self._follow = follow
        self._output = output
        self._delivered = delivered
        before = follow.position.seen
        self._preview = Preview(output, nonce, lambda: follow.position.seen - before)
        self._backoff = Backoff(engine.host.patience)
        self._story = Story(output, peer=engine.url, patience=engine.host.patience)
        self._canary = Canary(engine, container, canary)
        self._showing: asyncio.Task[None] | None = None
        self._was_cut = self._is_taken_up = False
        self._starts = 0
        self._restarted = ""

    @property
    def canary(self) -> str:
        """What another process needs to know whether the engine was restarted."""
        return self._canary.name

    async def run(self) -> Ended:
        """Start, deliver, and come back when it has ended.

        Raises StartRefused; EngineRefused if the container was removed meanwhile; HostGone if the
        engine is gone for good.
        """
        async with AsyncExitStack() as stack:
            if self._engine.host.shows_unfinished_lines:
                await stack.enter_async_context(self._previewing())
            waiting = await stack.enter_async_context(
                self._containers.wait(self._container, "next-exit")
            )
            await self._start()
            return await self._to_its_end(waiting)

    async def take_up(self) -> Ended:
        """As `run`, for a container that somebody started who is gone; it may have ended since."""
        self._was_cut = self._is_taken_up = True
        async with self._containers.wait(self._container, "not-running") as waiting:
            return await self._to_its_end(waiting)

    async def _start(self) -> None:
        """Start it. If the answer is lost, once more: the step of a container runs only once,
        however often it is started (`dispatcher`)."""
        while True:
            self._starts += 1
            try:
                await self._containers.start(self._container)
            except EngineRefused as error:
                raise StartRefused(error) from error
            except (ConnectionLost, EngineUnreachable) as error:
                self._was_cut = True
                await self._pause(error)
            else:
                return self._story.mended()

    async def _to_its_end(self, waiting: Waiting) -> Ended:
        exited = asyncio.create_task(waiting.exit_code())
        canary = asyncio.create_task(self._canary.set_out(wanted=lambda: not self._was_cut))
        try:
            while (want := self._follow.wants) is not None:
                if isinstance(want, Ask):
                    await self._ask(exited)
                else:
                    await self._read(want)
            state = await self._inspect()
            doubt = self._follow.doubt or self._restarted or await self._forgotten(exited)
            doubt = doubt or await self._missing() or self._contradiction(state)
        finally:
            await end(exited, canary)
            self._story.closed(self._engine.keepalive)
        return Ended(state, self._follow.exit_status, doubt)

    async def _ask(self, exited: asyncio.Task[int]) -> None:
        running = await self._is_running(exited)
        if self._showing is None and self._follow.position.seen <= REREAD:
            self._follow.mistrust()
        self._follow.answered(running=running)
        if running:
            self._story.met(ConnectionLost("the stream ended, and the container runs"))
            await self._backoff.pause()

    async def _is_running(self, exited: asyncio.Task[int]) -> bool:
        await asyncio.wait({exited}, timeout=EXIT_DELAY)
        if _is_known(exited):
            return False
        if exited.done():
            self._cut()
        return (await self._inspect()).running

    async def _read(self, want: Read) -> None:
        try:
            async with self._containers.logs(
                self._container,
                follow=want.follow,
                tail=want.tail,
                probe=self._story.is_broken,
            ) as chunks:
                self._story.heard()
                await self._check_restart()
                if want.follow:
                    how = await first(self._take(chunks), self._watch())
                else:
                    how = await self._take(chunks)
        except (ConnectionLost, EngineUnreachable) as error:
            if isinstance(error, StreamBrokenOff) and not want.follow:
                # It would say so again: of a container that has ended this is all there is.
                self._deliver(self._follow.ended(broken=False))
                return
            self._cut()
            await self._pause(error)
            self._deliver(self._follow.ended(broken=True))
        else:
            self._read_to(how)

    def _read_to(self, how: _Reading) -> None:
        if how is _Reading.RENEW:
            self._story.renewed()
            self._follow.renewed()
        else:
            self._deliver(self._follow.ended(broken=how is _Reading.STUCK))

    async def _take(self, chunks: AsyncIterator[bytes]) -> _Reading:
        """Deliver what is read, until it ends or is of no use."""
        if self._follow.settled:
            self._story.mended()
        async for chunk in chunks:
            self._story.heard()
            before = self._follow.taken
            pieces = self._follow.feed(chunk)
            if self._follow.short:
                break
            if self._follow.taken != before:
                self._backoff.reset()
            if self._follow.settled:
                self._backoff.stand()
                self._story.mended()  # before what comes: it says at which byte that is
            self._deliver(pieces)
        return _Reading.END

    async def _watch(self) -> _Reading:
        """Watch a reading that is quiet. Raises ConnectionLost if the engine is gone."""
        limit = self._engine.host.renew_after or QUESTION
        asked_at = 0.0
        while True:
            due = max(self._story.heard_at, asked_at) + limit
            if (pause := due - time.monotonic()) > 0:
                await asyncio.sleep(pause)
                continue
            if self._engine.host.renew_after is not None:
                return _Reading.RENEW
            asked_at = time.monotonic()
            if await self._is_stuck(asked_at):
                return _Reading.STUCK

    async def _is_stuck(self, asked_at: float) -> bool:
        """Ask a quiet engine for the container: has it ended without a word? Raises ConnectionLost
        if the engine is gone, or if its log goes on and it is only this connection that is dead."""
        self._story.asked()
        try:
            state = (await self._containers.inspect(self._container, probe=True)).state
            running = state.running
            if state.status == "paused":
                self._story.paused()
            if running and not await self._has_more():
                return False
        except (ConnectionLost, EngineUnreachable) as error:
            if self._story.heard_at > asked_at:
                return False
            raise self._silent(f"does not answer: {error.message}") from error
        await asyncio.sleep(EXIT_DELAY)
        if self._story.heard_at > asked_at:
            return False
        if running:
            raise self._silent("its log has gone on meanwhile")
        return True

    async def _has_more(self) -> bool:
        """Whether the log goes on beyond what has been read of it."""
        position, decoder = self._follow.position, FrameDecoder()
        async with self._containers.logs(
            self._container, follow=False, tail=1, probe=True
        ) as chunks:
            last = [entry async for chunk in chunks for _, entry in decoder.feed(chunk)]
        return any(not (position.seen and e.startswith(position.last.stamp)) for e in last)

    def _silent(self, why: str) -> ConnectionLost:
        silence = time.monotonic() - self._story.heard_at
        return ConnectionLost(f"it said nothing for {silence:.0f} s, and {why}")

    def _deliver(self, pieces: Iterable[Piece]) -> None:
        for piece in pieces:
            self._preview.withdraw()
            self._output.write(piece.data, at=piece.at)
        self._delivered()

    def _cut(self) -> None:
        """A connection broke. What the log has up to the end marker, it has whole."""
        self._was_cut = self._was_cut or self._follow.exit_status is None

    async def _check_restart(self) -> None:
        """After a break: is it still the engine that read the output so far?"""
        if not self._was_cut or self._restarted:
            return
        same = await self._canary.tells()
        if same:
            self._was_cut = False
        elif same is False:
            self._restarted = RESTARTED
            self._output.note(f"WARNING: {RESTARTED}")

    async def _forgotten(self, exited: asyncio.Task[int]) -> str:
        """Why output may be missing of a log that looks complete: an engine that was killed loses
        what is on its way through its memory, and only a broken connection tells of it."""
        await asyncio.wait({exited}, timeout=EXIT_DELAY)
        while self._was_cut and (self._is_taken_up or not _is_known(exited)):
            try:
                remembered = await self._containers.remembers_start(self._container)
            except (ConnectionLost, EngineUnreachable) as error:
                await self._pause(error)
            else:
                return "" if remembered else FORGOTTEN
        return ""

    async def _missing(self) -> str:
        """Why output is missing of a log that looks complete: the attach is a second witness. An
        engine whose disk is full drops lines of the log and goes on."""
        if self._showing is None:
            return ""
        await asyncio.wait({self._showing}, timeout=EXIT_DELAY)
        if not (missing := self._preview.missing):
            return ""
        return f"the engine's log lacks {missing} of the lines that the script wrote"

    def _contradiction(self, state: ContainerState) -> str:
        """Why the end marker is not the dispatcher's own; empty if it may be. A container that was
        started twice has the exit status of its second start."""
        status = self._follow.exit_status
        if status in (None, state.exit_code) or self._starts != 1:
            return ""
        return (
            f"the end marker says exit status {status}, but the container ended with"
            f" {state.exit_code}"
        )

    async def _inspect(self) -> ContainerState:
        while True:
            try:
                probe = self._story.is_broken
                return (await self._containers.inspect(self._container, probe=probe)).state
            except (ConnectionLost, EngineUnreachable) as error:
                await self._pause(error)

    async def _pause(self, error: EngineError) -> None:
        """Wait before the next attempt. Raises HostGone where there has been nothing but errors for
        too long."""
        self._story.met(error)
        try:
            await self._backoff.pause(error)
        except EngineError:
            raise HostGone(self._story.given_up()) from error

    @asynccontextmanager
    async def _previewing(self) -> AsyncIterator[None]:
        async with self._containers.attach(self._container) as frames:
            self._showing = asyncio.create_task(self._preview.show(frames))
            try:
                yield
            finally:
                await end(self._showing)
                self._preview.end()


def _is_known(exited: asyncio.Task[int]) -> bool:
    """Whether the engine that saw the start has told the end, over a connection from before it."""
    return exited.done() and not exited.cancelled() and exited.exception() is None
