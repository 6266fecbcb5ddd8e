"""The interface between a run and whoever shows it."""

from typing import Protocol

from tracekeeper import events
from tracekeeper.local.attempt import Attempt


class View(Protocol):
    """Whoever shows a run. Called in the event loop; must not block."""

    def event(self, event: events.Event, at: int) -> None:
        """Something happened, at microseconds since the epoch."""
        ...

    def follow(self, attempt: Attempt) -> None:
        """An attempt has a trace now; its `JobStarted` comes next."""
        ...

    def changed(self, attempt: Attempt) -> None:
        """The trace of an attempt has changed."""
        ...
