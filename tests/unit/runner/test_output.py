"""The trace of a job on its way to the disk: when it is stored, told and judged."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tracekeeper.errors import StorageError
from tracekeeper.events import ConnectionEvent
from tracekeeper.runner import output
from tracekeeper.runner.output import JobTrace, Preview
from tracekeeper.runner.spool import Spool
from tracekeeper.trace.chain import Chain
from tracekeeper.trace.format import Stream
from tracekeeper.trace.lines import text_of
from tracekeeper.trace.masks import Masks

SECRET = "hunter2hunter3"
Work = Callable[[JobTrace], Coroutine[Any, Any, None]]


class Made:
    """A trace that `work` was done to."""

    def __init__(self, directory: Path, work: Work) -> None:
        self.path = directory / "trace"
        self.changes: list[Preview] = []
        self.told: list[ConnectionEvent] = []

        async def main() -> None:
            chain = Chain(Masks([SECRET]))
            self.trace = JobTrace(
                Spool.create(directory),
                chain,
                changed=lambda: self.changes.append(self.trace.shown),
                told=self.told.append,
            )
            await work(self.trace)
            self.trace.finish("the end")

        asyncio.run(main())
        self.ledger = self.trace.seal("")

    @property
    def script(self) -> bytes:
        return text_of(self.path.read_bytes(), Stream.SCRIPT)

    @property
    def remarks(self) -> list[bytes]:
        return text_of(self.path.read_bytes(), Stream.RUNNER).split(b"\n")[:-1]


def test_output_and_remarks(tmp_path: Path) -> None:
    async def work(trace: JobTrace) -> None:
        with trace.section("step", "Title"):
            trace.write(b"one\ntw", at=1_795_404_564_000_000)
            trace.write(b"o\n")
        trace.note("remark")

    made = Made(tmp_path, work)
    assert made.script == b"one\ntwo\n"
    start, end, remark, last = made.remarks
    assert start.startswith(b"section_start:")
    assert b":step\r" in start
    assert b"Title" in start
    assert end.startswith(b"section_end:")
    assert (remark, last) == (b"remark", b"the end")
    assert b"2026-11-23T03:29:24.000000Z 01O one" in made.path.read_bytes()
    assert made.ledger.verdict == "proven"


def test_a_section_ends_whatever_happens(tmp_path: Path) -> None:
    async def work(trace: JobTrace) -> None:
        with pytest.raises(ZeroDivisionError), trace.section("step", "Title"):
            raise ZeroDivisionError

    assert Made(tmp_path, work).remarks[1].startswith(b"section_end:")


def test_an_unfinished_line_is_stored_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "UNFINISHED", 0.01)
    seen = []

    async def work(trace: JobTrace) -> None:
        trace.write(b"Continue? hunter2")
        seen.append((trace.shown, (tmp_path / "trace").read_bytes()))
        while b"Continue? " not in (tmp_path / "trace").read_bytes():
            await asyncio.sleep(0.001)
        seen.append((trace.shown, (tmp_path / "journal").read_bytes()))
        trace.write(b"hunter3!\n")

    made = Made(tmp_path, work)
    (before, nothing), (after, journal) = seen
    assert nothing == b""
    assert before.held
    assert after.held
    assert journal == b""
    assert made.script == b"Continue? [MASKED]!\n"
    assert made.ledger.verdict == "proven"
    assert made.changes[-1] == Preview()


def test_what_is_held_back_is_all_there_is_at_the_end(tmp_path: Path) -> None:
    async def work(trace: JobTrace) -> None:
        trace.write(b"hunter2")
        trace.drain()

    made = Made(tmp_path, work)
    assert made.script == b"hunter2"
    assert made.ledger.verdict == "proven"


def test_a_preview_is_shown_and_not_kept(tmp_path: Path) -> None:
    async def work(trace: JobTrace) -> None:
        trace.preview(b"password hunter2")
        assert trace.shown == Preview(b"password ", held=True)
        trace.preview(b"")

    made = Made(tmp_path, work)
    assert made.script == b""
    assert [shown.text for shown in made.changes[:2]] == [b"password ", b""]


def test_a_doubt_is_in_the_verdict(tmp_path: Path) -> None:
    async def work(_: JobTrace) -> None:
        return

    made = Made(tmp_path, work)
    assert (made.ledger.verdict, made.ledger.reason) == ("proven", "")
    assert made.trace.seal("somebody saw it").verdict == "unproven"


def test_a_disk_that_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, os.strerror(28))

    async def work(trace: JobTrace) -> None:
        trace.write(b"kept\n")
        with monkeypatch.context() as patch:
            patch.setattr("tracekeeper.runner.spool.os.write", full)
            with pytest.raises(StorageError):
                trace.write(b"lost\n")
        with pytest.raises(StorageError):
            trace.write(b"too late\n")
        trace.note("not even this")

    made = Made(tmp_path, work)
    assert made.script == b"kept\n"
    assert made.ledger.verdict == "unproven"
    assert "No space left" in made.ledger.reason


def test_a_trace_that_cannot_be_read_back(tmp_path: Path) -> None:
    async def work(_: JobTrace) -> None:
        (tmp_path / "trace").rename(tmp_path / "elsewhere")

    made_reason = Made(tmp_path, work).ledger
    assert made_reason.verdict == "unproven"
    assert "cannot read" in made_reason.reason


# ------------------------------------------------------------------------- going on after a kill


class Standing(msgspec.Struct):
    """What an executor keeps of itself."""

    line: int


class Course(msgspec.Struct):
    """What a job keeps of itself."""

    ended: str


class Killed(Exception):
    """Stands for the end of the process."""


def new_trace(directory: Path) -> JobTrace:
    return JobTrace(
        Spool.create(directory),
        Chain(Masks([SECRET])),
        changed=lambda: None,
        told=lambda _: None,
    )


def recovered(directory: Path) -> JobTrace:
    return JobTrace.recover(directory, Masks([SECRET]), changed=lambda: None, told=lambda _: None)


def begin_and_die(directory: Path, work: Work) -> None:
    async def main() -> None:
        await work(new_trace(directory))
        raise Killed

    with pytest.raises(Killed):
        asyncio.run(main())


def test_what_was_behind_the_last_checkpoint_is_written_again(tmp_path: Path) -> None:
    async def first(trace: JobTrace) -> None:
        trace.record(Course("nothing"))
        with trace.section("script", "Running"):
            trace.write(b"one hunter2hunter3\n", at=1)
            trace.checkpoint(Standing(1), now=True)
            trace.write(b"two\nthr", at=2)
            trace.checkpoint(Standing(2), now=True)  # not yet: of "thr" nothing is stored
            raise Killed

    async def again() -> JobTrace:
        trace = recovered(tmp_path)
        assert (trace.standing, trace.course) == ({"line": 1}, {"ended": "nothing"})
        with trace.section("script", "Running"):
            trace.write(b"two\nthree\n", at=3)
            trace.checkpoint(Standing(3))
        trace.finish("the end", Course("all"))
        return trace

    with pytest.raises(Killed):
        asyncio.run(first(new_trace(tmp_path)))
    ledger = asyncio.run(again()).seal("")
    trace = (tmp_path / "trace").read_bytes()
    assert text_of(trace, Stream.SCRIPT) == b"one [MASKED]\ntwo\nthree\n"
    assert ledger.verdict == "proven"
    assert (ledger.changes.secrets, ledger.hops[0].bytes) == (
        1,
        len(b"one hunter2hunter3\ntwo\nthree\n"),
    )
    assert trace.count(b"section_start:") == trace.count(b"section_end:") == 1
    assert b"hunter2" not in (tmp_path / "journal").read_bytes()
    last = recovered(tmp_path)
    assert (last.course, last.seal("").verdict) == ({"ended": "all"}, "proven")


def test_another_section_ends_the_one_that_was_open(tmp_path: Path) -> None:
    async def work(trace: JobTrace) -> None:
        with trace.section("first", ""):
            trace.checkpoint(Standing(0), now=True)
            raise Killed

    async def again() -> None:
        trace = recovered(tmp_path)
        with trace.section("second", ""):
            pass
        trace.finish("the end")
        trace.seal("")

    with pytest.raises(Killed):
        asyncio.run(work(new_trace(tmp_path)))
    asyncio.run(again())
    remarks = text_of((tmp_path / "trace").read_bytes(), Stream.RUNNER)
    marks = [line.split(b":")[0] + b" " + line.split(b":")[-1][:5] for line in remarks.split(b"\n")]
    assert [mark.split()[0] for mark in marks[:-2]] == [
        b"section_start", b"section_end", b"section_start", b"section_end",
    ]  # fmt: skip


def test_output_is_journalled_every_so_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "COMMIT_EVERY", 0.01)

    def lines() -> int:
        return (tmp_path / "journal").read_bytes().count(b"\n")

    async def work(trace: JobTrace) -> None:
        for number in range(100):
            trace.write(b"line\n")
            trace.checkpoint(Standing(number))
        assert lines() == 1  # at once; the others wait together
        while lines() < 2:
            await asyncio.sleep(0.001)
        assert trace.size == 100 * (32 + 5)

    begin_and_die(tmp_path, work)
    assert recovered(tmp_path).standing == {"line": 99}


def test_output_without_a_standing_is_journalled_as_well(tmp_path: Path) -> None:
    async def work(trace: JobTrace) -> None:
        trace.write(b"line\n")

    begin_and_die(tmp_path, work)
    assert recovered(tmp_path).size == 32 + 5


def test_no_journal_line_is_written_before_what_it_stands_for(tmp_path: Path) -> None:
    async def work(trace: JobTrace) -> None:
        trace.checkpoint(Standing(0), now=True)
        trace.write(b"line\n")
        trace.record(Course("not yet"))
        trace.drain()

    begin_and_die(tmp_path, work)
    trace = recovered(tmp_path)
    assert (trace.standing, trace.course, trace.size) == ({"line": 0}, None, 0)


def test_a_trace_of_which_nothing_is_journalled(tmp_path: Path) -> None:
    async def work(trace: JobTrace) -> None:
        trace.write(b"unfinished")

    begin_and_die(tmp_path, work)
    trace = recovered(tmp_path)
    assert (trace.size, trace.course, trace.standing) == (0, None, None)


def test_what_nobody_can_write_again_stays(tmp_path: Path) -> None:
    async def work(trace: JobTrace) -> None:
        trace.write(b"prompt? ")
        trace.drain()
        for number in range(3):
            trace.note(f"note {number}")
            trace.write(b"line\nnever whole")
        trace.drain()
        assert (tmp_path / "trace").read_bytes().endswith(b"never whole")

    async def again() -> JobTrace:
        trace = recovered(tmp_path)
        trace.finish("the end")
        return trace

    begin_and_die(tmp_path, work)
    journal = (tmp_path / "journal").read_bytes().splitlines(keepends=True)
    (tmp_path / "journal").write_bytes(journal[0])
    ledger = asyncio.run(again()).seal("nobody knows")
    trace = (tmp_path / "trace").read_bytes()
    assert text_of(trace, Stream.RUNNER) == b"note 0\nnote 1\nnote 2\nthe end\n"
    assert text_of(trace, Stream.SCRIPT).startswith(b"prompt? line\n")
    assert ledger.verdict == "unproven"


def test_a_journal_that_says_something_else(tmp_path: Path) -> None:
    Spool.create(tmp_path).close()
    (tmp_path / "journal").write_bytes(b'[0,0,"hello"]\n')
    with pytest.raises(StorageError, match="cannot be read"):
        recovered(tmp_path)


def test_a_disk_that_refuses_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, os.strerror(28))

    async def work(trace: JobTrace) -> None:
        trace.write(b"kept\n")
        monkeypatch.setattr("tracekeeper.runner.spool.os.write", full)
        with pytest.raises(StorageError):
            trace.checkpoint(Standing(1), now=True)
        trace.record(Course(""))

    begin_and_die(tmp_path, work)


def test_the_end_of_a_trace_with_a_limit_is_journalled(tmp_path: Path) -> None:
    async def work() -> None:
        trace = JobTrace(
            Spool.create(tmp_path),
            Chain(Masks(), limit=100),
            changed=lambda: None,
            told=lambda _: None,
        )
        trace.write(b"a line\n" * 100)
        trace.finish("the end")
        assert trace.seal("").verdict == "limited"

    asyncio.run(work())
    last = (tmp_path / "journal").read_bytes().splitlines()[-1]
    assert last.startswith(b"[%d," % (tmp_path / "trace").stat().st_size)
