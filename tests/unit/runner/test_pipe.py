"""Reading a pipe: everything, in order, with few wake-ups, and no longer than wanted."""

import asyncio
import os
from collections.abc import Awaitable, Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from tracekeeper.runner.pipe import PIPE_SIZE, PipeReader, open_pipe


def read(
    write: Callable[[int], Awaitable[None]], *, seconds: float = 30
) -> tuple[bytes, int, bool]:
    """What arrives of what `write` writes, in how many pieces, and whether that was all."""
    pieces: list[bytes] = []

    async def main() -> bool:
        read_end, write_end = open_pipe()
        reader = PipeReader(read_end, pieces.append)
        try:
            await write(write_end)
        finally:
            os.close(write_end)
        return await reader.drained(seconds)

    complete = asyncio.run(main())
    return b"".join(pieces), len(pieces), complete


@settings(max_examples=25)
@given(st.lists(st.binary(max_size=300), max_size=30))
def test_every_byte_in_order(chunks: list[bytes]) -> None:
    async def write(fd: int) -> None:
        for chunk in chunks:
            os.write(fd, chunk)
            await asyncio.sleep(0)

    assert read(write)[::2] == (b"".join(chunks), True)


def test_small_writes_are_gathered() -> None:
    async def write(fd: int) -> None:
        for n in range(2000):
            os.write(fd, b"%d\n" % n)
            await asyncio.sleep(0)

    data, pieces, complete = read(write)
    assert data == b"".join(b"%d\n" % n for n in range(2000))
    assert complete
    assert pieces < 1000


def test_a_full_pipe() -> None:
    async def write(fd: int) -> None:
        await asyncio.to_thread(os.write, fd, b"x" * (3 * PIPE_SIZE))

    data, _, complete = read(write)
    assert (len(data), complete) == (3 * PIPE_SIZE, True)


def test_somebody_keeps_it_open() -> None:
    kept: list[int] = []

    async def write(fd: int) -> None:
        os.write(fd, b"said")
        kept.append(os.dup(fd))

    assert read(write, seconds=0.05)[::2] == (b"said", False)
    os.close(kept.pop())


def test_a_sink_that_refuses() -> None:
    class Refusal(Exception):
        pass

    def refuse(_: bytes) -> None:
        raise Refusal

    async def main() -> tuple[bool, str]:
        read_end, write_end = open_pipe()
        reader = PipeReader(read_end, refuse)
        reader.check()
        os.write(write_end, b"x")
        await reader.broken
        try:
            reader.check()
        except Refusal:
            said = "refused"
        os.close(write_end)
        return await reader.drained(1), said

    assert asyncio.run(main()) == (False, "refused")


def test_closed_while_it_rests() -> None:
    pieces: list[bytes] = []

    async def main() -> None:
        read_end, write_end = open_pipe()
        reader = PipeReader(read_end, pieces.append)
        for chunk in (b"a", b"b"):
            os.write(write_end, chunk)
            while chunk not in pieces:
                await asyncio.sleep(0)
        os.write(write_end, b"c")
        reader.close()
        reader.close()
        os.close(write_end)

    asyncio.run(main())
    assert pieces == [b"a", b"b"]
