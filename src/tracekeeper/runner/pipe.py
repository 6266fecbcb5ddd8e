"""Reading one pipe of script output: few wake-ups, any rate, in order.

A script that writes every line by itself would wake us hundreds of thousands of times a second.
After a small read that followed closely on another, the reader rests for a moment and lets the
pipe fill: the kernel keeps order, the pipe holds 1 MiB, and nothing is later than `REST`.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable

PIPE_SIZE = 1 << 20
SMALL = 64 * 1024
REST = 0.004
F_SETPIPE_SZ = 1031


def open_pipe() -> tuple[int, int]:
    """A pipe for output, as large as this system allows: (read end, write end)."""
    import fcntl

    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    with contextlib.suppress(OSError):
        fcntl.fcntl(write_end, F_SETPIPE_SZ, PIPE_SIZE)
    return read_end, write_end


class PipeReader:
    """Hands every byte of a pipe to `sink` until the last writer has closed it.

    Owns the read end and closes it. If `sink` raises, reading stops, `broken` is done and
    `check` raises the same error.
    """

    def __init__(self, fd: int, sink: Callable[[bytes], None]) -> None:
        self._fd = fd
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._last = 0.0
        self._rest: asyncio.TimerHandle | None = None
        self.broken: asyncio.Future[Exception] = self._loop.create_future()
        self._loop.add_reader(fd, self._readable)

    async def drained(self, seconds: float) -> bool:
        """Wait for the end of the pipe, at most `seconds`; True if all bytes went to `sink`."""
        try:
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        except TimeoutError:
            return False
        finally:
            self.close()
        return not self.broken.done()

    def check(self) -> None:
        """Raise what `sink` raised, if it did."""
        if self.broken.done():
            raise self.broken.result()

    def close(self) -> None:
        """Stop reading; what is still in the pipe is lost."""
        if self._rest is not None:
            self._rest.cancel()
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1
        self._ended.set()

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, PIPE_SIZE)
        except BlockingIOError:
            return
        if not data:
            self.close()
            return
        try:
            self._sink(data)
        except Exception as error:
            self.broken.set_result(error)
            self.close()
            return
        self._pace(len(data))

    def _pace(self, size: int) -> None:
        now = self._loop.time()
        if size < SMALL and now - self._last < REST:
            self._loop.remove_reader(self._fd)
            self._rest = self._loop.call_later(REST, self._resume)
        self._last = now

    def _resume(self) -> None:
        self._rest = None
        self._loop.add_reader(self._fd, self._readable)
        self._readable()
