"""The trace of a job on its way to the disk: when it is stored, told and judged."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

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
    assert journal.endswith(b',"",7]\n')
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
