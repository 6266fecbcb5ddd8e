"""The events of a run on disk: one JSON object a line."""

from collections.abc import Iterator
from pathlib import Path

from tracekeeper import events
from tracekeeper.workspace.disk import storing


class EventJournal:
    """Appends events to a file. Where the disk refuses, it stops; the traces matter more."""

    def __init__(self, path: Path) -> None:
        with storing(str(path)):
            self._file = path.open("ab", buffering=0)

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


def read_events(path: Path) -> Iterator[events.AnyEvent]:
    """The events in the file, without a last line that is not whole. Raises StorageError."""
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield events.decode(line)
