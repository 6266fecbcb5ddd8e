"""Follows a run for a person or a program, in a thread of its own.

The thread reads traces from their files at its own pace: a slow or stopped terminal delays nobody's
job. Events come through a queue; traces are only announced.
"""

import threading
from collections import deque
from types import TracebackType
from typing import Protocol, Self

from tracekeeper import events
from tracekeeper.local.attempt import Attempt
from tracekeeper.local.feed import TraceText

FRAME = 0.04
"""Seconds between looks at what is new, so that showing does not take the processor from jobs."""
IDLE = 0.2
"""Seconds between looks when nothing was announced: time passes for unfinished lines."""


class LogView(Protocol):
    """Shows the log of one attempt."""

    def text(self, text: bytes) -> None:
        """The next of its text, split anywhere."""
        ...

    def close(self) -> None:
        """Its end."""
        ...


class Renderer(Protocol):
    """Writes what happens. Called in the viewer's thread; may block, may raise OSError.

    `timestamps` and `marks` say which text it wants; see `TraceText`.
    """

    timestamps: bool
    marks: bool

    def event(self, event: events.Event, at: int) -> None:
        """Something happened, after all output that came before it."""
        ...

    def open(self, attempt: Attempt) -> LogView:
        """An attempt begins."""
        ...

    def tick(self) -> None:
        """Everything that is known has been written; time has passed."""
        ...


class _Log:
    """A trace that is followed. `stale` is set where it grows, and taken back before it is read."""

    def __init__(self, attempt: Attempt) -> None:
        self.attempt = attempt
        self.stale = True
        self.text: TraceText
        self.view: LogView


class Viewer:
    """Implements `View`. Use as a context manager: leaving it waits until all is shown.

    If the output cannot be written, the run goes on unseen. Leaving then raises the OSError,
    unless a reader has just gone away.
    """

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer
        self._queue: deque[tuple[events.Event, int] | _Log] = deque()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._logs: dict[int, _Log] = {}
        self._running: dict[int, _Log] = {}
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._show, name="viewer", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._wake.set()
        self._thread.join()
        if self._error and error is None:
            raise self._error

    def event(self, event: events.Event, at: int) -> None:
        """See `View.event`."""
        self._queue.append((event, at))
        self._wake.set()

    def follow(self, attempt: Attempt) -> None:
        """See `View.follow`."""
        self._logs[attempt.id] = log = _Log(attempt)
        self._queue.append(log)

    def changed(self, attempt: Attempt) -> None:
        """See `View.changed`."""
        if log := self._logs.get(attempt.id):
            log.stale = True
            if not self._wake.is_set():
                self._wake.set()

    def _show(self) -> None:
        try:
            self._show_all()
        except BrokenPipeError:
            pass  # whoever read us is gone; the jobs go on
        except Exception as error:
            self._error = error

    def _show_all(self) -> None:
        while not self._closing.is_set() or self._queue:
            self._wake.wait(IDLE)
            self._wake.clear()
            self._take_events()
            while self._read_stale():
                self._take_events()
            self._renderer.tick()
            self._closing.wait(FRAME)

    def _take_events(self) -> None:
        while self._queue:
            item = self._queue.popleft()
            if isinstance(item, _Log):
                self._open(item)
                continue
            event, at = item
            if isinstance(event, events.JobFinished):
                self._finish(event.job)
            self._renderer.event(event, at)

    def _open(self, log: _Log) -> None:
        renderer = self._renderer
        log.text = TraceText(
            log.attempt.directory.trace, timestamps=renderer.timestamps, marks=renderer.marks
        )
        log.view = renderer.open(log.attempt)
        self._running[log.attempt.id] = log

    def _read_stale(self) -> bool:
        """Read on in every trace that has grown, each in turn; whether there may be more."""
        stale = [log for log in self._running.values() if log.stale]
        for log in stale:
            log.stale = False
            if _read(log):  # it may have grown meanwhile: never store what was known before
                log.stale = True
        return any(log.stale for log in stale)

    def _finish(self, job: int) -> None:
        """Show all that is left of a trace that is closed."""
        self._logs.pop(job, None)
        log = self._running.pop(job, None)
        if log is None:
            return
        while _read(log):
            pass
        log.view.text(log.text.rest())
        log.view.close()


def _read(log: _Log) -> bool:
    """Show the next of a trace; whether there may be more."""
    more, text = log.text.read()
    if text:
        log.view.text(text)
    return more
