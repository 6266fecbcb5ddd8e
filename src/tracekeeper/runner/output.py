"""A job's trace while it is written: chain and spool together, and the clock that drives them.

The chain is pure; here are the two things it lacks. A line that stays unfinished for
`UNFINISHED` seconds is stored as a piece, so that a prompt is seen; and whoever shows the
trace is told when there is more to read. Readers read the spool's file at their own pace: a slow one
never holds up the job.
"""

import asyncio
import time
from collections.abc import Callable

import msgspec

from tracekeeper.runner.spool import Spool
from tracekeeper.trace import sections
from tracekeeper.trace.chain import Chain
from tracekeeper.trace.format import Stream
from tracekeeper.trace.ledger import Ledger, judge

UNFINISHED = 1.0
"""Seconds after which an unfinished line is stored as it is."""


class Preview(msgspec.Struct, frozen=True):
    """The unfinished line beside the record. `held` says that masking holds back its end."""

    text: bytes = b""
    held: bool = False


def now() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000


class JobTrace:
    """The `Output` of one job. `changed` is called after every change, in the event loop.

    `write` and `note` raise StorageError when the disk refuses; the trace then keeps what it has
    and takes no more.
    """

    def __init__(self, spool: Spool, chain: Chain, *, changed: Callable[[], None]) -> None:
        self._spool = spool
        self._chain = chain
        self._changed = changed
        self._timer: asyncio.TimerHandle | None = None
        self._preview = b""

    @property
    def shown(self) -> Preview:
        """What to show of the line that is not finished."""
        ...
