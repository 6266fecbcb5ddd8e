"""A job's trace while it is written: chain and spool together, and the clock that drives them.

The chain is pure; here are the two things it lacks. A line that stays unfinished is stored as far
as it is known after `UNFINISHED` seconds, so that a prompt is seen. And whoever shows the trace is
told when there is more: readers read the spool's file at their own pace, so that a slow one never
holds up the job.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import msgspec

from tracekeeper.errors import StorageError
from tracekeeper.events import ConnectionBroke, ConnectionEvent
from tracekeeper.runner.spool import Spool
from tracekeeper.trace.chain import Chain
from tracekeeper.trace.ledger import Ledger, judge
from tracekeeper.trace.sections import section_end, section_start

UNFINISHED = 1.0
"""Seconds after which an unfinished line is stored as it is."""

_TITLE = "\x1b[36;1m{}\x1b[0;m"


class Preview(msgspec.Struct, frozen=True):
    """What is known of an unfinished line beyond the trace. `held` says that masking holds back
    its end."""

    text: bytes = b""
    held: bool = False


class JobTrace:
    """The `Output` of one job. `changed` is called in the event loop after every change, `told`
    with what happens to the connection over which the output comes.

    When the disk refuses, `write` raises StorageError; the trace then keeps what it has, takes no
    more, and is unproven.
    """

    def __init__(
        self,
        spool: Spool,
        chain: Chain,
        *,
        changed: Callable[[], None],
        told: Callable[[ConnectionEvent], None],
    ) -> None:
        self._spool = spool
        self._chain = chain
        self._changed = changed
        self._told = told
        self._timer: asyncio.TimerHandle | None = None
        self._broken: StorageError | None = None
        self.shown = Preview()

    def write(self, data: bytes, *, at: int | None = None) -> None:
        """Append script output; see `Output.write`."""
        self._append(self._chain.write(data, at=_now() if at is None else at))
        if self._timer is None and (self._chain.pending or self._chain.held):
            self._timer = asyncio.get_running_loop().call_later(UNFINISHED, self._flush)

    def preview(self, data: bytes) -> None:
        """Show an unfinished line that the record does not have yet; see `Output.preview`."""
        text, held = self._chain.preview(data)
        self._show(Preview(text, held))

    def note(self, text: str) -> None:
        """Append a line of the runner's own."""
        with suppress(StorageError):
            self._append(self._chain.note(text, _now()))

    def tell(self, event: ConnectionEvent) -> None:
        """Something happened to the connection; see `Output.tell`."""
        if isinstance(event, ConnectionBroke):
            cause = self._chain.masked(event.cause)
            event = msgspec.structs.replace(event, cause=cause, byte=self.size)
            self.note(f"WARNING: {_sentence(event)}")
        self._told(event)

    def masked(self, text: str) -> str:
        """`text` without the job's secrets."""
        return self._chain.masked(text)

    def drain(self) -> None:
        """A script has ended: what was held back of its output is all there is."""
        with suppress(StorageError):
            self._append(self._chain.drain())

    @contextmanager
    def section(self, name: str, title: str) -> Iterator[None]:
        """Write a section of the trace around what is done inside."""
        self.note(section_start(name, _now() // 1_000_000, title=_TITLE.format(title)))
        try:
            yield
        finally:
            self.note(section_end(name, _now() // 1_000_000))

    def finish(self, last_line: str) -> None:
        """All output has been written: add what waited, and a last line."""
        if self._timer is not None:
            self._timer.cancel()
        self.drain()
        self.note(last_line)
        with suppress(StorageError):
            self._append(self._chain.finish(_now()))
            self._spool.commit(self._chain.recorded)
        self._show(Preview())

    @property
    def size(self) -> int:
        """The bytes that the trace has on the disk."""
        return self._spool.size

    def seal(self, doubt: str) -> Ledger:
        """Read the trace back from the disk and give the verdict. Blocks. Call after `finish`;
        `doubt` says why output may be missing, empty if all of it was written."""
        hops = [self._chain.source, self._chain.recorded]
        if self._broken:
            doubt = self._broken.message
        else:
            try:
                hops.append(self._spool.seal())
            except StorageError as error:
                doubt = error.message
        return judge(hops, self._chain.changes, doubt=doubt)

    def _flush(self) -> None:
        self._timer = None
        with suppress(StorageError):
            self._append(self._chain.flush())
            self._spool.commit(self._chain.recorded, held=self._chain.changes.waiting)

    def _append(self, data: bytes) -> None:
        if self._broken:
            raise self._broken
        try:
            self._spool.append(data)
        except StorageError as error:
            self._broken = error
            raise
        self._show(Preview(held=self._chain.held))

    def _show(self, preview: Preview) -> None:
        self.shown = preview
        self._changed()


def _sentence(broke: ConnectionBroke) -> str:
    what = f"the connection to {broke.peer} broke after {broke.silent:.1f} s of silence"
    if not broke.recovered:
        return f"{what} ({broke.cause}) and did not come back in {broke.seconds:.1f} s"
    return (
        f"{what} ({broke.cause}); {broke.seconds:.1f} s later the output goes on, at byte"
        f" {broke.byte} of this log"
    )


def _now() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000
