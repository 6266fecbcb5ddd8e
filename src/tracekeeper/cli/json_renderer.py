"""A run for a program: one JSON object per event on stdout (docs/events.md)."""

import sys
import time
from collections.abc import Sequence

from tracekeeper import events
from tracekeeper.cli.viewer import Shown


class JsonRenderer:
    """Writes events as they are, output and previews among them."""

    def __init__(self, *, timestamps: bool = False) -> None:
        self.timestamps = timestamps
        self._out = sys.stdout.buffer
        self._previews: dict[int, bytes] = {}

    def prefix(self, job: str) -> bytes:
        """Lines come as they are."""
        return b""

    def event(self, event: events.Event, at: int) -> None:
        """See `Renderer.event`."""
        self._out.write(events.encode(event, at=at))
        self._out.flush()

    def text(self, shown: Shown, lines: bytes) -> None:
        """See `Renderer.text`."""
        self._previews.pop(shown.attempt.id, None)
        text = lines.decode("utf-8", "replace")
        self.event(events.Output(job=shown.attempt.id, name=shown.name, text=text), _now())

    def tick(self, running: Sequence[Shown]) -> None:
        """Tell unfinished lines that have changed."""
        for shown in running:
            job, line = shown.attempt.id, shown.unfinished
            if line == self._previews.get(job, b""):
                continue
            self._previews[job] = line
            text = line.decode("utf-8", "replace")
            self.event(events.Preview(job=job, name=shown.name, text=text), _now())


def _now() -> int:
    return time.time_ns() // 1000
