import asyncio
from collections.abc import AsyncIterator
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.engine.errors import ConnectionLost
from tracekeeper.engine.marker import prefix
from tracekeeper.events import ConnectionEvent
from tracekeeper.runner.executors import preview
from tracekeeper.runner.executors.preview import PIECE, Preview, UnfinishedLine

NONCE = "ab" * 16


@given(st.lists(st.binary(max_size=30)))
def test_the_unfinished_line_is_what_follows_the_last_newline(chunks: list[bytes]) -> None:
    line = UnfinishedLine()
    for chunk in chunks:
        line.feed(chunk)
    data = b"".join(chunks)
    assert (line.text, line.entries) == (data.rpartition(b"\n")[2], data.count(b"\n"))


@pytest.mark.parametrize("size", [1, 1000, PIECE, 3 * PIECE + 5])
def test_pieces_that_the_log_has_do_not_count(size: int) -> None:
    line = UnfinishedLine()
    data = b"x" * (5 * PIECE) + b"rest"
    for start in range(0, len(data), size):
        line.feed(data[start : start + size])
        assert len(line.text) < PIECE
    assert (line.text, line.entries) == (b"rest", 5)


def test_entries_of_long_lines() -> None:
    line = UnfinishedLine()
    line.feed(b"x" * PIECE + b"\n" + b"x" * (2 * PIECE + 1))
    line.feed(b"\n\nrest")
    assert (line.text, line.entries) == (b"rest", (1 + 1) + (2 + 1) + 1)


class Shown:
    """An output that notes previews."""

    def __init__(self) -> None:
        self.previews: list[bytes] = []
        self.changed = asyncio.Event()

    def write(self, data: bytes, *, at: int | None = None) -> None: ...

    def note(self, text: str) -> None: ...

    def checkpoint(self, standing: object, *, now: bool = False) -> None: ...

    def tell(self, event: ConnectionEvent) -> None: ...

    def preview(self, data: bytes) -> None:
        self.previews.append(data)
        self.changed.set()


async def frames(*texts: bytes) -> AsyncIterator[bytes]:
    for text in texts:
        yield pack(">BxxxI", 1, len(text)) + text


@pytest.fixture(autouse=True)
def _no_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "DELAY", 0.001)


def test_a_prompt_is_shown_until_the_log_goes_on() -> None:
    async def main() -> None:
        output = Shown()
        shown = Preview(output, NONCE, lambda: 1)
        await shown.show(frames(b"line\nConti", b"nue? "))
        await output.changed.wait()
        assert output.previews == [b"Continue? "]
        output.changed.clear()
        shown.withdraw()
        assert output.previews == [b"Continue? ", b""]
        output.changed.clear()
        await output.changed.wait()  # still unfinished: shown again
        shown.end()
        assert output.previews == [b"Continue? ", b"", b"Continue? ", b""]

    asyncio.run(main())


@pytest.mark.parametrize("before", [b"one\n", b"x" * PIECE])
def test_nothing_is_shown_before_the_record_comes_to_it(before: bytes) -> None:
    async def main() -> None:
        output, recorded = Shown(), [0]
        shown = Preview(output, NONCE, lambda: recorded[0])
        await shown.show(frames(before + b"ecret"))
        await asyncio.sleep(0.01)
        assert output.previews == []
        recorded[0] = 1
        await output.changed.wait()
        shown.end()
        assert output.previews == [b"ecret", b""]

    asyncio.run(main())


def test_nothing_is_shown_of_finished_lines_and_of_the_marker() -> None:
    async def main() -> None:
        output = Shown()
        shown = Preview(output, NONCE, lambda: 1)
        await shown.show(frames(b"line\n", prefix(NONCE) + b"0"))
        await asyncio.sleep(0.01)
        shown.withdraw()
        shown.end()
        assert output.previews == []

    asyncio.run(main())


def test_the_end_cancels_what_would_be_shown() -> None:
    async def main() -> None:
        output = Shown()
        shown = Preview(output, NONCE, lambda: 0)
        await shown.show(frames(b"prompt"))
        shown.end()
        await asyncio.sleep(0.01)
        assert output.previews == []

    asyncio.run(main())


def test_a_broken_attach_costs_the_preview_only() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b""
        raise ConnectionLost("broke")

    async def main() -> None:
        await Preview(Shown(), NONCE, lambda: 0).show(broken())

    asyncio.run(main())


@pytest.mark.parametrize(("recorded", "missing"), [(0, 4), (2, 2), (3, 1), (4, 0), (9, 0)])
def test_what_the_log_lacks(recorded: int, missing: int) -> None:
    """Two lines, a piece of a long one, and the rest of that."""

    async def main() -> None:
        shown = Preview(Shown(), NONCE, lambda: recorded)
        await shown.show(frames(b"one\ntwo\n", b"x" * PIECE + b"rest"))
        assert shown.missing == missing
        shown.end()

    asyncio.run(main())
