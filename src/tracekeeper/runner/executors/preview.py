"""Unfinished lines of a container, shown while they last.

The engine's log has finished lines only. An attach has every byte at once, so the line that it
has not finished can be shown: a prompt that waits, a progress bar. What the log delivers later is
the record; the preview is taken back when it comes.
"""

import asyncio
from collections.abc import AsyncIterator

from tracekeeper.engine.errors import ConnectionLost
from tracekeeper.engine.frames import FrameDecoder
from tracekeeper.engine.marker import prefix
from tracekeeper.errors import EngineError
from tracekeeper.runner.executors.base import Output

DELAY = 0.7
"""Seconds that a line stays unfinished before it is shown, and between two looks at it."""
PIECE = 16 * 1024
"""dockerd writes a longer line to its log in pieces of this size."""


class UnfinishedLine:
    """The end of an output that is in no finished line, nor in a piece that the log has. Pure."""

    __slots__ = ("text",)

    def __init__(self) -> None:
        self.text = b""

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the output. At most 16 KiB of them are kept."""
        _, newline, last = data.rpartition(b"\n")
        line = last if newline else self.text + data
        self.text = line[len(line) // PIECE * PIECE :]


class Preview:
    """Shows on `output` what an attach has and the log does not have yet."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._line = UnfinishedLine()
        self._shown = b""
        self._timer: asyncio.TimerHandle | None = None

    async def show(self, frames: AsyncIterator[bytes], nonce: str) -> None:
        """Read an attach to its end. It must be read whatever comes: dockerd stops a container
        whose attached reader does not read."""
        decoder, marker = FrameDecoder(), prefix(nonce)
        try:
            async for data in frames:
                for _, payload in decoder.feed(data):
                    self._line.feed(payload)
                self._look_later(marker)
        except (ConnectionLost, EngineError):
            return  # only the preview is lost
        finally:
            self._cancel()

    def withdraw(self) -> None:
        """Take back what is shown: the log has gone on."""
        if self._shown:
            self._shown = b""
            self._output.preview(b"")

    def _look_later(self, marker: bytes) -> None:
        if self._line.text and self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(DELAY, self._look, marker)

    def _look(self, marker: bytes) -> None:
        self._timer = None
        text = self._line.text.partition(marker)[0]
        if text and text != self._shown:
            self._shown = text
            self._output.preview(text)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
