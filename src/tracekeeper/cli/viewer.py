"""Follows a run for a person or a program, in a thread of its own.

The thread reads traces from their files at its own pace: a slow or stopped terminal delays nobody's
job. Events come through a queue; traces are only announced.
"""

import threading
from collections import deque
from collections.abc import Sequence
from time import monotonic
from typing import Protocol, Self

from tracekeeper import events
from tracekeeper.local.attempt import Attempt
from tracekeeper.local.feed import TraceFeed

FRAME = 0.04
"""Seconds between looks at what is new, so that showing does not take the processor from jobs."""
IDLE = 0.5
"""Seconds between looks when nothing was announced: time passes for unfinished lines."""


class Shown:
    """One attempt as it is shown. `prefix` stands before each of its lines."""

    def __init__(self, attempt: Attempt, prefix: bytes, *, timestamps: bool) -> None:
        self.attempt = attempt
        self.began = monotonic()
        self.prefix = prefix
        self.feed = TraceFeed(attempt.directory.trace, prefix=prefix, timestamps=timestamps)

    @property
    def name(self) -> str:
        """The job's name."""
        return self.attempt.job.name

    @property
    def unfinished(self) -> bytes:
        """The line that is not finished, prefix included; ``…`` is what masking holds back."""
        preview = self.attempt.trace.shown
        beyond = preview.text + ("…".encode() if preview.held else b"")
        if not beyond:
            return self.feed.line
        return (self.feed.line or self.prefix) + beyond


class Renderer(Protocol):
    """Writes what happens. Called in the viewer's thread; may block."""

    timestamps: bool

    def prefix(self, job: str) -> bytes:
        """What stands before the lines of `job`."""
        ...

    def event(self, event: events.Event, at: int) -> None:
        """Something happened, after all output that came before it."""
        ...

    def text(self, shown: Shown, lines: bytes) -> None:
        """Whole lines of an attempt."""
        ...

    def tick(self, running: Sequence[Shown]) -> None:
        """Everything that is known has been written; time has passed."""
        ...


class Viewer:
    """Implements `View`. Use as a context manager: leaving it waits until all is shown."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer
        self._queue: deque[tuple[events.Event, int] | Attempt] = deque()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._shown: dict[int, Shown] = {}
        self._thread = threading.Thread(target=self._show, name="viewer", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._wake.set()
        self._thread.join()

    def event(self, event: events.Event, at: int) -> None:
        """See `View.event`."""
        self._queue.append((event, at))
        self._wake.set()

    def follow(self, attempt: Attempt) -> None:
        """See `View.follow`."""
        self._queue.append(attempt)

    def changed(self, attempt: Attempt) -> None:
        """See `View.changed`."""
        if not self._wake.is_set():
            self._wake.set()

    def _show(self) -> None:
        try:
            while not self._closing.is_set() or self._queue:
                self._wake.wait(IDLE)
                self._wake.clear()
                self._take_events()
                while self._read_all():
                    self._take_events()
                self._renderer.tick(list(self._shown.values()))
                self._closing.wait(FRAME)
        except BrokenPipeError:
            self._queue.clear()  # whoever read us is gone; the jobs go on

    def _take_events(self) -> None:
        while self._queue:
            item = self._queue.popleft()
            if isinstance(item, Attempt):
                prefix = self._renderer.prefix(item.job.name)
                self._shown[item.id] = Shown(item, prefix, timestamps=self._renderer.timestamps)
                continue
            event, at = item
            if isinstance(event, events.JobFinished):
                self._finish(event.job)
            self._renderer.event(event, at)

    def _read_all(self) -> bool:
        """Show the next lines of every trace in turn; whether there may be more."""
        more = False
        for shown in self._shown.values():
            more |= self._read(shown)
        return more

    def _read(self, shown: Shown) -> bool:
        """Show the next lines of a trace; whether there may be more."""
        size, lines = shown.feed.read()
        if lines:
            self._renderer.text(shown, lines)
        return size > 0

    def _finish(self, job: int) -> None:
        """Show all that is left of a trace that is closed."""
        shown = self._shown.pop(job, None)
        if shown is None:
            return
        while self._read(shown):
            pass
        rest = shown.feed.rest()
        if rest:
            self._renderer.text(shown, rest)
