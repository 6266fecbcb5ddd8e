"""Servers that stand between a client and an engine, in a thread of their own: a TLS front, an
HTTP proxy, a listener that only notes what it is told."""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Awaitable, Callable
from typing import Self, TypeAlias

Streams: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Handler: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
LIMIT = 1024 * 1024


class Server:
    """Calls `handler` for each connection; `port` says where. Leave it with `with`."""

    def __init__(
        self, handler: Handler, *, address: str = "127.0.0.1", tls: ssl.SSLContext | None = None
    ) -> None:
        self._handler = handler
        self._address = address
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> None:
        self._server = await asyncio.start_server(
            self._begin, self._address, 0, ssl=self._tls, limit=LIMIT
        )
        self.port = self._server.sockets[0].getsockname()[1]

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._handler(reader, writer)
        writer.transport.abort()

    async def _stop(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)


def relay_to(connect: Callable[[], Awaitable[Streams]]) -> Handler:
    """Passes bytes on, both ways, each until its end."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await connect()
        try:
            await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        finally:
            far_writer.transport.abort()

    return handle


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(LIMIT):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
    else:
        writer.close()


class HttpProxy:
    """An HTTP proxy that knows CONNECT. It keeps the heads of its `requests`; what it answers can
    be replaced, and the first bytes of the far side come in one piece with its answer."""

    def __init__(self, *, answer: bytes = b"HTTP/1.1 200 fine\r\n\r\n") -> None:
        self.requests: list[bytes] = []
        self._answer = answer

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.requests.append(head)
        if b" 200 " not in self._answer:
            writer.write(self._answer)
            await writer.drain()
            return
        host, _, port = head.split()[1].decode().rpartition(":")
        far = await asyncio.open_connection(host.strip("[]"), int(port), limit=LIMIT)
        early = b""
        with contextlib.suppress(TimeoutError):
            early = await asyncio.wait_for(far[0].read(LIMIT), 0.1)  # an SSH server speaks first
        writer.write(self._answer + early)

        async def connected() -> Streams:
            return far

        await relay_to(connected)(reader, writer)
