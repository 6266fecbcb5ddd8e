"""How a job's connection to its engine fares, told while it happens and summed up at the end.

Never silent: a break becomes one line of the trace and one event, with whom it was, after how
long a silence, by what, how long it took, and at which byte the output went on.
"""

import asyncio
import time

from tracekeeper.errors import EngineError
from tracekeeper.events import ConnectionBroke, ConnectionClosed
from tracekeeper.runner.executors.base import Output

TELL_AFTER = 1.0
"""Seconds without a connection after which that is told, before it is known how it ends."""


class Story:
    """What happens to the connections over which one container's output comes.

    `peer` is the engine's URL, `patience` how long (seconds) it is waited for.
    """

    __slots__ = (
        "_breaks",
        "_cause",
        "_is_paused",
        "_latest",
        "_longest",
        "_output",
        "_patience",
        "_peer",
        "_questions",
        "_renewals",
        "_silent",
        "_since",
        "_timer",
        "heard_at",
    )

    def __init__(self, output: Output, *, peer: str, patience: float) -> None:
        self._output = output
        self._peer = peer
        self._patience = patience
        self._breaks = self._renewals = self._questions = 0
        self._longest = self._silent = 0.0
        self._is_paused = False
        self._since: float | None = None
        self._cause = self._latest = ""
        self._timer: asyncio.TimerHandle | None = None
        self.heard_at = time.monotonic()
        """When the engine was heard last, on the clock of `time.monotonic`."""

    def heard(self) -> None:
        """The engine has sent something."""
        now = time.monotonic()
        self._longest = max(self._longest, now - self.heard_at)
        self.heard_at = now
        self._is_paused = False

    def asked(self) -> None:
        """In a silence the engine was asked whether it is there."""
        self._questions += 1

    def paused(self) -> None:
        """It is not the engine that is quiet: somebody has paused the container."""
        if not self._is_paused:
            self._is_paused = True
            self._output.note("WARNING: the container is paused; its script waits")

    def renewed(self) -> None:
        """The connection is replaced by plan."""
        self._renewals += 1

    def met(self, error: EngineError) -> None:
        """The connection broke, or still cannot be had."""
        now = time.monotonic()
        self._latest = error.message
        if self._since is None:
            self._breaks += 1
            self._since, self._cause = now, error.message
            self._silent = now - self.heard_at
            self._timer = asyncio.get_running_loop().call_later(TELL_AFTER, self._tell)

    def mended(self) -> None:
        """The output goes on."""
        self._end_break(recovered=True)

    def given_up(self) -> str:
        """The engine has not come back in time: why the job ends, as a sentence."""
        gone = 0.0 if self._since is None else time.monotonic() - self._since
        self._end_break(recovered=False)
        return (
            f"the Docker host {self._peer} is gone: it has not answered for"
            f" {self._silent + gone:.0f} s ({self._why}). The job's container may still run there"
        )

    def closed(self, keepalive: str) -> None:
        """The output has come to its end, whatever that is."""
        self._longest = max(self._longest, time.monotonic() - self.heard_at)
        if self._timer is not None:
            self._timer.cancel()
        self._output.tell(
            ConnectionClosed(
                peer=self._peer,
                keepalive=keepalive,
                breaks=self._breaks,
                renewals=self._renewals,
                questions=self._questions,
                longest_silence=round(self._longest, 3),
            )
        )

    @property
    def is_broken(self) -> bool:
        """Whether there is no connection over which output comes."""
        return self._since is not None

    @property
    def _why(self) -> str:
        """What broke the connection, and what stands in the way of another one."""
        if self._latest == self._cause:
            return self._cause
        return f"{self._cause}; now: {self._latest}"

    def _tell(self) -> None:
        self._output.note(
            f"WARNING: the connection to {self._peer} broke ({self._why}); waiting up to"
            f" {self._patience:.0f} s for the Docker Engine to come back"
        )

    def _end_break(self, *, recovered: bool) -> None:
        if self._since is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        seconds, self._since = time.monotonic() - self._since, None
        self._output.tell(
            ConnectionBroke(
                peer=self._peer,
                silent=round(self._silent, 3),
                cause=self._cause,
                seconds=round(seconds, 3),
                recovered=recovered,
            )
        )
