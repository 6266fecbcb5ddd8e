"""Servers for tests of connections, each in a thread of its own, and an HTTP proxy."""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Awaitable, Callable
from typing import Self, TypeAlias

Handler: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
LIMIT = 1024 * 1024


class Server:
    """Calls `handler` for each connection; `port` says where, unless `address` is the path of a
    UNIX socket. Leave it with `with`."""

    def __init__(
        self, handler: Handler, *, address: str = "127.0.0.1", tls: ssl.SSLContext | None = None
    ) -> None:
        self._handler = handler
        self._address = address
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
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
        if self._address.startswith("/"):
            self._server = await asyncio.start_unix_server(self._begin, self._address, limit=LIMIT)
            return
        self._server = await asyncio.start_server(
            self._begin, self._address, 0, ssl=self._tls, limit=LIMIT
        )
        self.port = self._server.sockets[0].getsockname()[1]

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._connections[task] = writer

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await self._handler(reader, writer)
            writer.close()
            await writer.wait_closed()

    async def _stop(self) -> None:
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        for writer in self._connections.values():
            with contextlib.suppress(AttributeError):  # of one that closed before it was asked to
                writer.transport.abort()
        await asyncio.sleep(0.01)  # in which the transports close


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(LIMIT):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
    else:
        writer.close()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Sends back what it gets, and ends when the client has ended."""
    await _pump(reader, writer)


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
        far_reader, far_writer = await asyncio.open_connection(
            host.strip("[]"), int(port), limit=LIMIT
        )
        try:
            early = b""
            with contextlib.suppress(TimeoutError):  # an SSH server speaks first
                early = await asyncio.wait_for(far_reader.read(LIMIT), 0.1)
            writer.write(self._answer + early)
            await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        finally:
            far_writer.transport.abort()
