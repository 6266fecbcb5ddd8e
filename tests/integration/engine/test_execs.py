"""Commands in running containers: against real engines, and against scripted ones where the ways
to hijack a connection differ."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from tracekeeper.engine.client import Engine
from tracekeeper.engine.errors import EngineRefused
from tracekeeper.engine.host import Host, TlsVersion
from tracekeeper.net.lab import Lab

MANY = os.urandom(100_000)
SLEEP = {"Cmd": ["sleep", "600"], "HostConfig": {"NetworkMode": "none"}}


@asynccontextmanager
async def container(host: Host | str, image: str) -> AsyncIterator[tuple[Engine, str]]:
    async with await Engine.connect(host) as engine:
        made = await engine.containers.create({"Image": image, **SLEEP})
        try:
            await engine.containers.start(made)
            yield engine, made
        finally:
            await engine.containers.remove(made)


async def run(
    engine: Engine,
    made: str,
    *command: str,
    stdin: bytes = b"",
    tty: bool = False,
    read: Callable[[bytes], Awaitable[bool]] | None = None,
) -> tuple[dict[int, bytes], int]:
    """Run a command; what came on each stream, and its exit status."""
    exec_id = await engine.execs.create(made, command, stdin=True, tty=tty)
    came = {1: b"", 2: b""}
    async with engine.execs.start(exec_id, tty=tty) as running:

        async def feed() -> None:
            await running.write(stdin)
            if not tty:
                await running.write_eof()

        feeding = asyncio.create_task(feed())
        async for stream, data in running.output():
            came[stream] += data
            if tty and read and await read(came[1]):
                await engine.execs.resize(exec_id, columns=123, rows=45)
                await running.write(b"stty size; exit 3\n")
                read = None
        await feeding
    return came, await engine.execs.exit_code(exec_id)


@pytest.mark.docker
def test_streams_and_statuses(engine_url: str, busybox: str) -> None:
    async def test() -> None:
        async with container(engine_url, busybox) as (engine, made):
            assert await run(engine, made, "cat", stdin=MANY) == ({1: MANY, 2: b""}, 0)
            both = ("sh", "-c", "cat; echo wrong >&2; exit 7")
            assert await run(engine, made, *both, stdin=b"in") == ({1: b"in", 2: b"wrong\n"}, 7)
            _, status = await run(engine, made, "no-such-command")
            assert status in (126, 127)
            assert await engine.containers.execute(made, ["sh", "-c", "exit 5"]) == 5

    asyncio.run(test())


@pytest.mark.docker
def test_a_terminal(engine_url: str, busybox: str) -> None:
    """It has the size that it is given, and no key is kept back for detaching."""

    async def test() -> None:
        async with container(engine_url, busybox) as (engine, made):

            async def prompt(seen: bytes) -> bool:
                return b"# " in seen

            came, status = await run(engine, made, "sh", tty=True, read=prompt)
            assert b"45 123" in came[1]
            assert status == 3
            shown, _ = await run(
                engine,
                made,
                "sh",
                "-c",
                "stty raw -echo; head -c 1 | od -c",
                stdin=b"\x10",
                tty=True,
            )
            assert b"020" in shown[1]

    asyncio.run(test())


@pytest.mark.docker
def test_what_is_not_there(engine_url: str, busybox: str) -> None:
    async def test() -> None:
        async with await Engine.connect(engine_url) as engine:
            with pytest.raises(EngineRefused, match="No such container") as caught:
                await engine.execs.create("none/such", ["true"])
            assert caught.value.status == 404
            stopped = await engine.containers.create({"Image": busybox, **SLEEP})
            try:
                with pytest.raises(EngineRefused, match="is not running"):
                    await engine.execs.create(stopped, ["true"])
            finally:
                await engine.containers.remove(stopped)

    asyncio.run(test())


@pytest.mark.root
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_half_a_connection_over_tls(lab: Lab, version: TlsVersion) -> None:
    """Our side finishes by TLS's goodbye, and what is still on its way comes back whole."""
    assert lab.host.tls is not None
    tls = msgspec.structs.replace(lab.host.tls, max_version=version)
    host = msgspec.structs.replace(lab.host, tls=tls)

    async def test() -> None:
        async with container(host, "busybox") as (engine, made):
            delayed = ("sh", "-c", "sleep 0.5; cat; cat; exit 9")
            assert await run(engine, made, *delayed, stdin=MANY) == ({1: MANY, 2: b""}, 9)

    with lab.inside():
        asyncio.run(test())


# ------------------------------------------------------------------- how a connection is hijacked

UPGRADED = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
WENT_ON = b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n"
VERSION = b'{"Version":"27.0","ApiVersion":"1.46","MinAPIVersion":"1.24"}'


@pytest.mark.parametrize("head", [UPGRADED, WENT_ON], ids=["101", "200"])
def test_both_answers_that_hijack(tmp_path: Path, head: bytes) -> None:
    """A proxy that drops the `Upgrade` header gets 200 from the engine, and the same stream."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if b"/version" in request:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(VERSION) + VERSION)
            request = await reader.readuntil(b"\r\n\r\n")
        seen.append(request)
        await reader.readuntil(b"}")
        writer.write(head + b"\x01\0\0\0\0\0\0\x05early")
        answer = await reader.read()
        writer.write(b"\x02\0\0\0" + len(answer).to_bytes(4, "big") + answer)
        await writer.drain()
        writer.close()

    async def test() -> None:
        path = str(tmp_path / "engine.sock")
        async with (
            await asyncio.start_unix_server(serve, path),
            await Engine.connect(f"unix://{path}") as engine,
            engine.execs.start("some") as running,
        ):
            await running.write(b"one, ")
            await running.write(b"two")
            await running.write_eof()
            assert [frame async for frame in running.output()] == [(1, b"early"), (2, b"one, two")]

    asyncio.run(test())
    assert b"Upgrade: tcp\r\n" in seen[0]
    assert b"Connection: Upgrade\r\n" in seen[0]
