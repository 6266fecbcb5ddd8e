import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.engine.client import Engine
from tracekeeper.engine.errors import ConnectionLost
from tracekeeper.engine.frames import Frame, encoded
from tracekeeper.runner.executors import service_logs
from tracekeeper.runner.executors.service_logs import ServiceLogs, _Log

BREAK = ConnectionLost("the connection broke")


class Log:
    """A service's log of which each reading ends somewhere, the followed ones with a break."""

    def __init__(self, entries: Sequence[Frame], cuts: Sequence[int]) -> None:
        self.entries = entries
        self.cuts = list(cuts)

    @property
    def containers(self) -> "Log":
        return self

    @asynccontextmanager
    async def logs(self, container: str, *, follow: bool) -> AsyncIterator[AsyncIterator[bytes]]:
        yield self._chunks()

    async def _chunks(self) -> AsyncIterator[bytes]:
        cut = self.cuts.pop(0) if self.cuts else None
        yield encoded(list(self.entries[:cut]))
        if cut is not None:
            raise BREAK


class Notes:
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def followed(log: Log, times: int = 1) -> list[str]:
    notes = Notes()

    async def main() -> None:
        reader = _Log(cast("Engine", log), "db", "container")
        for _ in range(times):
            await reader.follow(cast("Any", notes))

    asyncio.run(main())
    return notes.notes


def entry(stream: int, time: int, text: str) -> Frame:
    return stream, f"2026-01-01T00:00:00.{time:09}Z {text}\n".encode()


def lines(entries: Sequence[Frame]) -> list[str]:
    return [f"[service:db] {data.decode().partition(' ')[2].rstrip()}" for _, data in entries]


ENTRIES = st.lists(st.tuples(st.sampled_from([1, 2]), st.integers(0, 2)), max_size=12).map(
    lambda steps: [
        entry(stream, sum(step for other, step in steps[: i + 1] if other == stream), f"line {i}")
        for i, (stream, _) in enumerate(steps)
    ]
)


@pytest.fixture(autouse=True, scope="module")
def _no_pauses() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tracekeeper.engine.tasks._FIRST_PAUSE", 0.0)
        yield


@given(ENTRIES, st.lists(st.integers(0, 12), max_size=4), st.integers(1, 3))
def test_each_line_is_shown_once_whatever_breaks(
    entries: list[Frame], cuts: list[int], times: int
) -> None:
    assert followed(Log(entries, cuts), times) == lines(entries)


def test_bytes_that_are_no_text() -> None:
    assert followed(Log([(1, b"2026 a\xffb\n")], [])) == [
        "[service:db] a\N{REPLACEMENT CHARACTER}b"
    ]


def test_a_break_that_does_not_heal_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_logs, "PATIENCE", -1.0)
    assert followed(Log([], [0])) == ["WARNING: [service:db] the connection broke"]


def test_what_was_written_last_is_read_at_the_end() -> None:
    entries, notes = [entry(1, 1, "a"), entry(2, 1, "b")], Notes()

    async def main() -> None:
        logs = ServiceLogs(cast("Engine", Log(entries, [])), [("db", "container")])
        async with logs.shown(cast("Any", notes)):
            assert notes.notes == []
        assert notes.notes == lines(entries)

    asyncio.run(main())


def test_a_line_in_pieces_is_one_line_whatever_breaks() -> None:
    time = "2026-01-01T00:00:00.000000001Z "
    pieces = [(1, f"{time}{text}".encode()) for text in ("x\rhun", "ter2", "!\n", "the rest")]
    for cut in range(len(pieces)):
        assert followed(Log(pieces, [cut])) == [
            "[service:db] x␍hunter2!",
            "[service:db] the rest",
        ]


def test_a_line_goes_on_when_it_is_shown_again() -> None:
    log, notes = Log([(1, b"1 hun")], []), Notes()

    async def main() -> None:
        reader = _Log(cast("Engine", log), "db", "container")
        await reader.show(cast("Any", notes), follow=False)
        assert notes.notes == []
        log.entries = [*log.entries, (1, b"1 ter2\n")]
        await reader.show(cast("Any", notes), follow=False)

    asyncio.run(main())
    assert notes.notes == ["[service:db] hunter2"]
