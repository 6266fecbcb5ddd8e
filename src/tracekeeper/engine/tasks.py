"""Small tools for tasks: ending in order, and trying again."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0
_LASTING = 2.0
"""Seconds after which a connection is no attempt that failed, even if nothing came over it."""
UNANSWERED = 5.0
"""Seconds that an engine has to answer to what makes something there, once nobody wants it any
more. An answer tells what is to be removed; without one it is looked for."""


async def to_its_end(work: Coroutine[Any, Any, T], *, within: float | None = None) -> T:
    """Await `work`. Cancellations wait until it is done, so that what it makes is known; with
    `within`, so many seconds from the first one on: then `work` is cancelled too."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task})
    except asyncio.CancelledError:
        await _ended(task, within)
        raise
    return task.result()


async def _ended(task: asyncio.Task[Any], within: float | None) -> None:
    """Wait for the end of `task`, whatever is cancelled; if need be, it is after `within` s."""
    loop = asyncio.get_running_loop()
    timer = None if within is None else loop.call_later(within, task.cancel)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait({task})
    if timer is not None:
        timer.cancel()
    if not task.cancelled():
        task.exception()  # the cancellation is what is raised


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `function` in a thread. A cancellation waits until it is done: a thread cannot be
    stopped, and what it still writes must not come after the clean-up."""
    return await to_its_end(asyncio.to_thread(function, *args, **kwargs))


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks whose results no longer matter, and wait until they are gone."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def first(*works: Coroutine[Any, Any, T]) -> T:
    """The result of the first to end; the others are cancelled."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(iter(done)).result()
    finally:
        await end(*tasks)


class Backoff:
    """Longer and longer pauses between attempts, and an end to `patience` (seconds)."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self.reset()

    def reset(self) -> None:
        """Things go on."""
        self._pause = _FIRST_PAUSE
        self._until: float | None = None
        self._stood_at: float | None = None

    def stand(self) -> None:
        """An attempt succeeded. Whether things go on is known when it has lasted a while."""
        self._stood_at = self._stood_at or time.monotonic()

    async def pause(self, error: Exception | None = None) -> None:
        """Pause. Raises `error` if there have been nothing but errors for too long."""
        if error is not None:
            if self._stood_at is not None and time.monotonic() > self._stood_at + _LASTING:
                self.reset()
            self._stood_at = None
            self._until = self._until or time.monotonic() + self._patience
            if time.monotonic() > self._until:
                raise error
        await asyncio.sleep(self._pause)
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
