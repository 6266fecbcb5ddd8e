"""A job's trace while it is written: chain and spool together, and the clock that drives them.

The chain is pure; here are the two things it lacks. A line that stays unfinished is stored as far
as it is known after `UNFINISHED` seconds, so that a prompt is seen. And whoever shows the trace is
told when there is more: readers read the spool's file at their own pace, so that a slow one never
holds up the job.

The journal gets a line at most every `COMMIT_EVERY` seconds, and only where nothing is in memory
alone, so that it never needs to hold what may be secret. After a kill the output behind the last
line is read from the engine again. Who has read it from the file before reads it twice then: a
reader ends when the run does, and one that comes later begins at the beginning.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import msgspec

from tracekeeper.errors import StorageError
from tracekeeper.events import ConnectionBroke, ConnectionEvent
from tracekeeper.runner.spool import Commit, Spool, tail
from tracekeeper.trace.chain import Chain, Checkpoint
from tracekeeper.trace.ledger import Hop, Ledger, judge
from tracekeeper.trace.masks import Masks
from tracekeeper.trace.sections import section_end, section_start

UNFINISHED = 1.0
"""Seconds after which an unfinished line is stored as it is."""
COMMIT_EVERY = 0.25
"""Seconds between two lines of the journal: an hour of output makes a few megabytes of them, and
what has to be read again after a kill is little."""

_NOTHING = Checkpoint((0, 0), ())
_TITLE = "\x1b[36;1m{}\x1b[0;m"


class Preview(msgspec.Struct, frozen=True):
    """What is known of an unfinished line beyond the trace. `held` says that masking holds back
    its end."""

    text: bytes = b""
    held: bool = False


class TraceState(msgspec.Struct, frozen=True, array_like=True):
    """What a line of the journal holds besides size and checksum: all that another process needs.

    `section` is the section in which the trace is. `course` is the job's own note of how far it
    has come, `standing` the executor's of how to go on with the output that follows.
    """

    chain: Checkpoint
    section: str = ""
    course: Any = None
    standing: Any = None


class JobTrace:
    """The `Output` of one job. `changed` is called in the event loop after every change, `told`
    with what happens to the connection over which the output comes.

    `course` and `standing` are those of `TraceState`; of a recovered trace as JSON has them.

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
        self._section = ""
        self._ahead = False
        self._committed_at = 0.0
        self._committing: asyncio.TimerHandle | None = None
        self.course: Any = None
        self.standing: Any = None
        self.shown = Preview()

    @classmethod
    def recover(
        cls,
        directory: Path,
        masks: Masks,
        *,
        changed: Callable[[], None],
        told: Callable[[ConnectionEvent], None],
    ) -> Self:
        """Take up the trace of a process that was killed, at the last place that its journal
        bears out. What was written behind it is cut off if an executor can go on from there; else
        it is all that is known, and stays. Blocks. Raises StorageError where that cannot be."""
        before = journalled(directory)
        spool = Spool.recover(directory, keep=before is None or before.standing is None)
        try:
            state = msgspec.json.decode(spool.last.state, type=TraceState | None)
        except msgspec.DecodeError as error:
            spool.close()
            raise StorageError(f"the journal in {directory} cannot be read: {error}") from error
        if state is None:
            state = TraceState(_NOTHING)
        recorded = Hop("recorded", spool.last.bytes, spool.last.crc)
        chain = Chain.restore(masks, recorded, state.chain)
        for block in tail(directory / "trace", spool.last.bytes):
            chain.keep(block)
        trace = cls(spool, chain, changed=changed, told=told)
        trace._section, trace.course, trace.standing = state.section, state.course, state.standing
        return trace

    def write(self, data: bytes, *, at: int | None = None) -> None:
        """Append script output; see `Output.write`."""
        self._ahead = self.standing is not None
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

    def checkpoint(self, standing: msgspec.Struct, *, now: bool = False) -> None:
        """All output so far was written; see `Output.checkpoint`."""
        self.standing, self._ahead = standing, False
        if now:
            self._commit()
        else:
            self._commit_soon()

    def record(self, course: msgspec.Struct) -> None:
        """Keep in the journal, at once if possible, how far the job has come."""
        self.course = course
        with suppress(StorageError):
            self._commit()

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
            self._commit()

    @contextmanager
    def section(self, name: str, title: str) -> Iterator[None]:
        """Write a section of the trace around what is done inside. Of a recovered trace it may
        be the one that is open already; another one is ended first."""
        if self._section != name:
            self._end_section()
            self._section = name
            self.note(section_start(name, _now() // 1_000_000, title=_TITLE.format(title)))
        try:
            yield
        finally:
            self._end_section()

    def finish(self, last_line: str, course: msgspec.Struct | None = None) -> None:
        """All output has been written: add what waited, and a last line. The journal gets it in one
        line with the job's last `course`, so that nothing is said twice after a kill."""
        for timer in (self._timer, self._committing):
            if timer is not None:
                timer.cancel()
        self._timer = self._committing = None
        self._ahead = True
        self.drain()
        self._end_section()
        self.note(last_line)
        with suppress(StorageError):
            self._append(self._chain.finish(_now()))
            self._ahead, self.course = False, course
            self._commit(closing=True)
        self._show(Preview())

    @property
    def size(self) -> int:
        """The bytes that the trace has on the disk."""
        return self._spool.size

    def seal(self, doubt: str, altered: str = "") -> Ledger:
        """Read the trace back from the disk and give the verdict. Blocks. Call after `finish`;
        `doubt` says why output may be missing, `altered` where it was another one when it was read
        a second time; both are empty if all of it was written."""
        hops = [self._chain.source, self._chain.recorded]
        if self._broken:
            doubt = self._broken.message
        else:
            try:
                hops.append(self._spool.seal())
            except StorageError as error:
                doubt = error.message
        return judge(hops, self._chain.changes, doubt=doubt, altered=altered)

    def _flush(self) -> None:
        self._timer = None
        with suppress(StorageError):
            self._append(self._chain.flush())

    def _end_section(self) -> None:
        name, self._section = self._section, ""
        if name:
            self.note(section_end(name, _now() // 1_000_000))

    def _commit_soon(self) -> None:
        if self._ahead or self._committing is not None:
            return
        wait = self._committed_at + COMMIT_EVERY - time.monotonic()
        if wait > 0:
            self._committing = asyncio.get_running_loop().call_later(wait, self._commit_now)
        else:
            self._commit_now()

    def _commit_now(self) -> None:
        self._committing = None
        with suppress(StorageError):
            self._commit()

    def _commit(self, *, closing: bool = False) -> None:
        """Write a line of the journal, unless there is output in memory alone."""
        checkpoint = None if self._ahead else self._chain.checkpoint()
        if checkpoint is not None:
            self._committed_at = time.monotonic()
            state = TraceState(checkpoint, self._section, self.course, self.standing)
            self._spool.commit(self._chain.recorded, state)
        elif closing:
            self._spool.commit(self._chain.recorded)

    def _append(self, data: bytes) -> None:
        if self._broken:
            raise self._broken
        try:
            self._spool.append(data)
        except StorageError as error:
            self._broken = error
            raise
        self._commit_soon()
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


def journalled(directory: Path) -> TraceState | None:
    """What the last whole line of the journal in `directory` says; None where there is none."""
    try:
        *_, line, _torn = (directory / "journal").read_bytes().split(b"\n")
        return msgspec.json.decode(
            msgspec.json.decode(line, type=Commit).state, type=TraceState | None
        )
    except (OSError, ValueError, msgspec.DecodeError):
        return None


def _now() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000
