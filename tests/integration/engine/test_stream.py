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
    before: list[int] = []
    gathered: list[int] = []

    async def scenario() -> None:
        async with pair() as (connection, far):
            for number in range(SPRINT + 2):
                far.sendall(b"x")
                before.append(number)
                assert await connection.read() == b"x"

    monkeypatch.setattr(stream_module, "GATHER", 3600.0)
    monkeypatch.setattr(stream_module, "_gather", lambda: gathered.append(before[-1]))
    asyncio.run(scenario())
    assert gathered == [SPRINT, SPRINT + 1]


def test_what_does_not_come_at_once_is_never_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise AssertionError

    async def scenario() -> None:
        async with pair() as (connection, far):
            for _ in range(2 * SPRINT):
                far.sendall(b"x")
                assert await connection.read() == b"x"

    monkeypatch.setattr(stream_module, "GATHER", 0.0)
    monkeypatch.setattr(stream_module, "_gather", refuse)
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
