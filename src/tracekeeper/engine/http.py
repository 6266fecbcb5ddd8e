"""HTTP/1.1 to an engine: one request and its answer over a connection (RFC 9112).

h11 writes requests and reads heads and small bodies. A body that is streamed is taken over from
it after the head: dockerd sends each line of a log as a chunk (see chunked.py).
Nothing waits for ever, except for the next bytes of an answer that is asked for as endless: a head,
and a body that is read whole, have to be complete in time; a stream may not pause for too long.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Mapping
from typing import TypeAlias, TypeVar

import h11
import msgspec

from tracekeeper.engine.chunked import ChunkDecoder
from tracekeeper.engine.connection import Connection
from tracekeeper.engine.errors import ConnectionLost
from tracekeeper.engine.tasks import end

T = TypeVar("T")
Body: TypeAlias = bytes | AsyncIterable[bytes]
UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}
"""The headers that ask for a hijacked connection."""
MAX_BODY = 64 * 1024 * 1024
"""An answer that is read whole; the largest, a list of all containers, has a few megabytes."""


_CUT = "the connection to the Docker Engine ended before its answer was complete"


class Timeouts(msgspec.Struct, frozen=True):
    """Seconds: until the head of an answer is there, and from then on until all of it is if it is
    read whole; between two pieces of an answer, or of what is sent."""

    answer: float = 120.0
    silence: float = 60.0


DEFAULT_TIMEOUTS = Timeouts()


class Request(msgspec.Struct, frozen=True):
    """A request. With a `body` that is an iterable it is sent chunk by chunk."""

    method: str
    target: str
    headers: Mapping[str, str] = {}
    body: Body = b""

    @property
    def idempotent(self) -> bool:
        """Whether it may be sent again if it is unknown what became of it (RFC 9110 §9.2.2)."""
        return self.method in {"GET", "HEAD", "DELETE"}

    def head(self) -> h11.Request:
        """Its request line and headers."""
        headers = [("Host", "docker"), ("User-Agent", "tracekeeper"), *self.headers.items()]
        if not isinstance(self.body, bytes):
            headers.append(("Transfer-Encoding", "chunked"))
        elif self.body or self.method in {"POST", "PUT"}:
            headers.append(("Content-Length", str(len(self.body))))
        return h11.Request(method=self.method, target=self.target, headers=headers)


class Response:
    """The head of an answer, and a way to its body. Leave it with `async with`.

    `reusable` says, once the body has been read, whether the connection may serve again.
    """

    def __init__(
        self, connection: Connection, parser: h11.Connection, head: "Head", timeouts: Timeouts
    ) -> None:
        self._connection = connection
        self._parser = parser
        self._timeouts = timeouts
        self.status = head.status_code
        self.headers = {name.decode(): value.decode("latin-1") for name, value in head.headers}

    @property
    def reusable(self) -> bool:
        """Whether both sides are ready for another request."""
        states = self._parser.states.values()
        return set(states) == {h11.DONE} and self._connection.usable

    async def read(self) -> bytes:
        """The whole body. Raises ConnectionLost if it is cut short, stalls or takes too long."""
        return await _within(self._timeouts.answer, self._whole())

    async def _whole(self) -> bytes:
        parts: list[bytes] = []
        size = 0
        while isinstance(
            event := await _next_event(self._connection, self._parser, self._timeouts.silence),
            h11.Data,
        ):
            parts.append(bytes(event.data))
            size += len(event.data)
            if size > MAX_BODY:
                raise ConnectionLost(f"the engine's answer is longer than {MAX_BODY} bytes")
        return b"".join(parts)

    async def chunks(self, *, endless: bool = False) -> AsyncGenerator[bytes, None]:
        """The body, piece by piece. If `endless`, the next piece may take any time.

        Raises ConnectionLost if the body is cut short.
        """
        silence = None if endless else self._timeouts.silence
        if self.headers.get("transfer-encoding") != "chunked":
            while isinstance(
                event := await _next_event(self._connection, self._parser, silence), h11.Data
            ):
                yield bytes(event.data)
            return
        decoder = ChunkDecoder()
        data, _ = self._parser.trailing_data
        while True:
            if content := decoder.feed(data):
                yield content
            if decoder.finished:
                return
            data = await _read(self._connection, silence)
            if not data:
                raise ConnectionLost(_CUT)

    async def raw(self) -> AsyncGenerator[bytes, None]:
        """What follows after the protocol was switched (101), until the other side finishes."""
        data, _ = self._parser.trailing_data
        while data or (data := await self._connection.read()):
            yield data
            data = b""

    def stream(self) -> AsyncGenerator[bytes, None]:
        """The bytes of a hijacked connection: an engine, or a proxy before it, may agree to the
        switch (101) or just go on after the head (200). Docker Engine API, `ContainerAttach`."""
        return self.raw() if self.status == 101 else self.chunks(endless=True)

    async def write(self, data: bytes) -> None:
        """Send on a hijacked connection. Waits as long as the other side takes to read."""
        await self._connection.write(data)

    async def write_eof(self) -> None:
        """Finish sending on a hijacked connection; reading goes on."""
        await self._connection.write_eof()

    def close(self) -> None:
        """Give the connection up."""
        self._connection.close()


Head: TypeAlias = h11.Response | h11.InformationalResponse


async def exchange(connection: Connection, request: Request, timeouts: Timeouts) -> Response:
    """Send a request and wait for the head of its answer. Raises ConnectionLost."""
    parser = h11.Connection(h11.CLIENT)
    if isinstance(request.body, bytes):
        await _send(connection, parser, request.head(), request.body, timeouts)
        head = await _within(timeouts.answer, _head(connection, parser))
    else:
        head = await _upload(connection, parser, request.head(), request.body, timeouts)
    return Response(connection, parser, head, timeouts)


async def _send(
    connection: Connection,
    parser: h11.Connection,
    head: h11.Request,
    body: bytes,
    timeouts: Timeouts,
) -> None:
    events = [head, h11.Data(data=body), h11.EndOfMessage()]
    data = b"".join(parser.send(event) or b"" for event in events)
    await _write(connection, data, timeouts)


async def _upload(
    connection: Connection,
    parser: h11.Connection,
    head: h11.Request,
    body: AsyncIterable[bytes],
    timeouts: Timeouts,
) -> Head:
    """Send a long body while listening: who refuses it may answer and hang up before its end."""
    sending = asyncio.create_task(_send_all(connection, parser, head, body, timeouts))
    answering = asyncio.create_task(_head(connection, parser))
    try:
        await asyncio.wait({sending, answering}, return_when=asyncio.FIRST_COMPLETED)
        if not answering.done():
            await sending
        return await _within(timeouts.answer, answering)
    finally:
        await end(sending, answering)


async def _send_all(
    connection: Connection,
    parser: h11.Connection,
    head: h11.Request,
    body: AsyncIterable[bytes],
    timeouts: Timeouts,
) -> None:
    await _write(connection, parser.send(head) or b"", timeouts)
    async for chunk in body:
        await _write(connection, parser.send(h11.Data(data=chunk)) or b"", timeouts)
    await _write(connection, parser.send(h11.EndOfMessage()) or b"", timeouts)


async def _head(connection: Connection, parser: h11.Connection) -> Head:
    while True:
        event = await _next_event(connection, parser, None)
        if isinstance(event, h11.Response):
            return event
        if isinstance(event, h11.InformationalResponse) and event.status_code == 101:
            return event
        if not isinstance(event, h11.InformationalResponse):
            raise ConnectionLost(_CUT)


async def _next_event(
    connection: Connection, parser: h11.Connection, timeout: float | None
) -> h11.Event:
    data = None
    try:
        while (event := parser.next_event()) is h11.NEED_DATA:
            data = await _read(connection, timeout)
            parser.receive_data(data)
    except h11.RemoteProtocolError as error:
        if data == b"":
            raise ConnectionLost(_CUT) from error
        raise ConnectionLost(f"what answers is no Docker Engine: {error}") from error
    assert isinstance(event, h11.Event), "one request, one answer: the parser never pauses"
    return event


async def _read(connection: Connection, timeout: float | None) -> bytes:
    try:
        async with asyncio.timeout(timeout):
            return await connection.read()
    except TimeoutError:
        raise ConnectionLost(f"the Docker Engine said nothing for {timeout:.0f} s") from None


async def _within(seconds: float, answer: Awaitable[T]) -> T:
    """Wait for something all of which has to be there in time, however it trickles in."""
    try:
        async with asyncio.timeout(seconds):
            return await answer
    except TimeoutError:
        raise ConnectionLost(
            f"the Docker Engine gave no complete answer within {seconds:.0f} s"
        ) from None


async def _write(connection: Connection, data: bytes, timeouts: Timeouts) -> None:
    try:
        async with asyncio.timeout(timeouts.silence):
            await connection.write(data)
    except TimeoutError:
        raise ConnectionLost(
            f"the Docker Engine took nothing for {timeouts.silence:.0f} s"
        ) from None
