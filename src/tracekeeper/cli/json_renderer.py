"""A run for a program: one JSON object per event on stdout (docs/events.md)."""

import codecs
import time

from tracekeeper import events
from tracekeeper.cli.stdout import Stdout
from tracekeeper.local.attempt import Attempt


class JsonRenderer:
    """Writes events as they are. The texts of a job together are what ``logs --raw`` gives."""

    marks = True

    def __init__(self, *, timestamps: bool = False) -> None:
        self.timestamps = timestamps
        self._out = Stdout()
        self._running: dict[int, _JsonLog] = {}

    def event(self, event: events.Event, at: int) -> None:
        """See `Renderer.event`."""
        self._out.write(events.encode(event, at=at))
        self._out.flush()

    def open(self, attempt: Attempt) -> "_JsonLog":
        """See `Renderer.open`."""
        return self._running.setdefault(attempt.id, _JsonLog(attempt, self))

    def tick(self) -> None:
        """Tell previews that have changed."""
        for log in self._running.values():
            log.tell_preview()

    def closed(self, attempt: Attempt) -> None:
        """The log of `attempt` has ended."""
        del self._running[attempt.id]


class _JsonLog:
    """Implements `LogView`."""

    def __init__(self, attempt: Attempt, renderer: JsonRenderer) -> None:
        self._attempt = attempt
        self._renderer = renderer
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._preview = ""

    def text(self, text: bytes) -> None:
        """See `LogView.text`."""
        self._tell_output(self._decoder.decode(text))

    def close(self) -> None:
        """See `LogView.close`."""
        self._tell_output(self._decoder.decode(b"", final=True))
        self._renderer.closed(self._attempt)

    def tell_preview(self) -> None:
        """Tell what is known beyond the output, if it has changed."""
        preview = self._attempt.trace.shown
        text = preview.text.decode("utf-8", "replace") + ("…" if preview.held else "")
        if text == self._preview:
            return
        self._preview = text
        job, name = self._attempt.id, self._attempt.job.name
        self._renderer.event(events.Preview(job=job, name=name, text=text), _now())

    def _tell_output(self, text: str) -> None:
        if text:
            self._preview = ""
            job, name = self._attempt.id, self._attempt.job.name
            self._renderer.event(events.Output(job=job, name=name, text=text), _now())


def _now() -> int:
    return time.time_ns() // 1000
