"""Unfinished lines of a container, shown while they last.

The engine's log has finished lines only. An attach has every byte at once, so the line that it
has not finished can be shown: a prompt that waits, a progress bar. What the log delivers later is
the record; the preview is taken back when it comes. It is shown only where the record has come to
its very beginning: what is masked in it may depend on what is before it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from tracekeeper.engine.frames import FrameDecoder
from tracekeeper.engine.marker import prefix
from tracekeeper.errors import EngineError
from tracekeeper.runner.executors.base import Output

DELAY = 0.7
"""Seconds that a line stays unfinished before it is shown, and between two looks at it."""
PIECE = 16 * 1024
"""dockerd writes a longer line to its log in pieces of this size."""


class UnfinishedLine:
    """The end of an output that is in no finished line, nor in a piece that the log has. Pure.

    `entries` is how many entries the log has, or will have, of the output before it.
    """

    __slots__ = ("entries", "text")

    def __init__(self) -> None:
        self.entries = 0
        self.text = b""

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the output. At most 16 KiB of them are kept."""
        *finished, last = (self.text + data).split(b"\n")
        self.entries += len(finished)
        lengths = [*map(len, finished), len(last)]
        if max(lengths) >= PIECE:
            self.entries += sum(length // PIECE for length in lengths)
        self.text = last[len(last) // PIECE * PIECE :]


class Preview:
    """Shows on `output` what an attach has and the log does not have yet. `recorded` says how many
    entries of the log have been delivered since the attach began."""

    def __init__(self, output: Output, nonce: str, recorded: Callable[[], int]) -> None:
        self._output = output
        self._recorded = recorded
        self._marker = prefix(nonce)
        self._line = UnfinishedLine()
        self._shown = b""
        self._timer: asyncio.TimerHandle | None = None

    async def show(self, frames: AsyncIterator[bytes]) -> None:
        """Read an attach to its end. It must be read whatever comes: dockerd stops a container
        whose attached reader does not read. Trouble with it costs the preview only."""
        decoder = FrameDecoder()
        with suppress(EngineError):
            async for data in frames:
                for _, payload in decoder.feed(data):
                    self._line.feed(payload)
                self._look_later()

    def withdraw(self) -> None:
        """Take back what is shown: the log has gone on. If it has not come to this line yet, the
        line is shown again."""
        if self._shown:
            self._shown = b""
            self._output.preview(b"")
            self._look_later()

    @property
    def missing(self) -> int:
        """How many entries the attach has that the log does not have; 0 if it has none more. Once
        the log is at its end those are lost."""
        return max(0, self._line.entries + bool(self._line.text) - self._recorded())

    def end(self) -> None:
        """Show nothing any more."""
        self._line = UnfinishedLine()
        self.withdraw()
        if self._timer is not None:
            self._timer.cancel()

    def _look_later(self) -> None:
        if self._line.text and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(DELAY, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._line.entries != self._recorded():
            self._look_later()
            return
        text = self._line.text.partition(self._marker)[0]
        if text and text != self._shown:
            self._shown = text
            self._output.preview(text)
