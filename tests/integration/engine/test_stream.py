import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tracekeeper.engine import stream as stream_module
from tracekeeper.engine.stream import SPRINT, StreamConnection, stream


@asynccontextmanager
async def pair() -> AsyncIterator[tuple[StreamConnection, socket.socket]]:
    """A connection and its other end."""
    near, far = socket.socketpair()
    near.setblocking(False)
    with far:
        connection = await stream(near)
        yield connection, far
        connection.close()
        await asyncio.sleep(0)


def test_small_pieces_in_quick_succession_are_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    gathered: list[int] = []
    original = StreamConnection._gather

    async def gather(self: StreamConnection) -> None:
        gathered.append(self._sprint)
        await original(self)

    async def scenario() -> None:
        async with pair() as (connection, far):
            for number in range(SPRINT + 2):
                far.sendall(b"%d" % (number % 10))
                assert await connection.read() == b"%d" % (number % 10)

    monkeypatch.setattr(stream_module, "GATHER", 3600.0)
    monkeypatch.setattr(asyncio, "sleep", lambda _, sleep=asyncio.sleep: sleep(0))
    monkeypatch.setattr(StreamConnection, "_gather", gather)
    asyncio.run(scenario())
    assert gathered == [SPRINT, SPRINT + 1]


def test_who_cancels_while_it_is_gathered_reads_at_once_the_next_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        async with pair() as (connection, far):
            for _ in range(SPRINT):
                far.sendall(b"x")
                assert await connection.read() == b"x"
            far.sendall(b"y")
            reading = asyncio.create_task(connection.read())
            await asyncio.sleep(0)
            reading.cancel()
            await asyncio.wait({reading})
            assert reading.cancelled()
            assert await asyncio.wait_for(connection.read(), 5) == b"y"

    monkeypatch.setattr(stream_module, "GATHER", 3600.0)
    asyncio.run(scenario())


def test_what_does_not_come_at_once_is_never_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(_: StreamConnection) -> None:
        raise AssertionError

    async def scenario() -> None:
        async with pair() as (connection, far):
            for _ in range(2 * SPRINT):
                far.sendall(b"x")
                assert await connection.read() == b"x"

    monkeypatch.setattr(stream_module, "GATHER", 0.0)
    monkeypatch.setattr(StreamConnection, "_gather", refuse)
    asyncio.run(scenario())


def test_a_flood_of_small_pieces_arrives_whole() -> None:
    pieces = [b"%d\n" % number for number in range(30_000)]

    def write(far: socket.socket) -> None:
        for piece in pieces:
            far.sendall(piece)
        far.shutdown(socket.SHUT_WR)

    async def scenario() -> bytes:
        received = b""
        async with pair() as (connection, far):
            writer = threading.Thread(target=write, args=(far,))
            writer.start()
            while data := await connection.read():
                received += data
            writer.join()
        return received

    assert asyncio.run(scenario()) == b"".join(pieces)
