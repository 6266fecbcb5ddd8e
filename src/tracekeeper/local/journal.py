"""The events of a run on disk: one JSON object a line."""

import os
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

from tracekeeper import events
from tracekeeper.workspace.disk import storing

LONGEST_LINE = 64 * 1024 * 1024
"""Bytes; the first event names every job of a run."""


class EventJournal:
    """Appends events to a file, behind the last whole line that a process which was killed may
    have left in it. Where the disk refuses, it stops; the traces matter more."""

    def __init__(self, path: Path) -> None:
        with storing(str(path)):
            self._file = path.open("a+b", buffering=0)
            _cut_torn_line(self._file)

    def write(self, event: events.Event, at: int) -> bool:
        """Append `event`, which happened `at` (microseconds since the epoch); False where it is
        the first one that is not kept."""
        if self._file.closed:
            return True
        line = events.encode(event, at=at)
        try:
            if self._file.write(line) == len(line):
                return True
        except OSError:
            pass
        self._file.close()
        return False

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _cut_torn_line(file: FileIO) -> None:
    """An event that was begun to be written did not happen."""
    size = file.seek(0, os.SEEK_END)
    start = max(0, size - LONGEST_LINE)
    file.seek(start)
    tail = file.read(size - start)
    if tail and not tail.endswith(b"\n"):
        file.truncate(start + tail.rfind(b"\n") + 1)


def read_events(path: Path) -> Iterator[events.AnyEvent]:
    """The events in the file, without a last line that is not whole. Raises StorageError."""
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield events.decode(line)
