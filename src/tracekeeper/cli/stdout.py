"""Writing to stdout without the buffer of `sys.stdout`.

A thread that waits for a slow reader inside `sys.stdout` would hold its lock, and the interpreter
could not end. Here nothing is left to be written at the end.
"""

import os
import select
import sys
from typing import TextIO

FULL = 1 << 16


class Stdout:
    """Collects bytes and writes them at `flush`, or when there are many. May block. `stream` is
    another one to write to."""

    def __init__(self, stream: TextIO | None = None) -> None:
        stream = stream or sys.stdout
        stream.flush()
        self._fd = stream.fileno()
        self._waiting = bytearray()

    def write(self, data: bytes) -> None:
        """Take `data`. Raises OSError where stdout takes no more."""
        self._waiting += data
        if len(self._waiting) >= FULL:
            self.flush()

    def flush(self) -> None:
        """Write what waits. Raises OSError where stdout takes no more; that is then dropped."""
        data, self._waiting = memoryview(self._waiting), bytearray()
        while data:
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:  # somebody else has made the terminal non-blocking
                select.select([], [self._fd], [])
