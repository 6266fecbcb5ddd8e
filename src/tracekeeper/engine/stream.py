"""Sockets as connections: the lowest layer of every way to an engine.

The keepalive is on before the first packet of a TCP connection, whatever is spoken over it later.
"""

import asyncio
import contextlib
import os
import re
import socket
import time
from collections.abc import Sequence
from typing import Any, TypeAlias

from tracekeeper.engine.connection import READ_SIZE
from tracekeeper.engine.errors import ConnectionLost
from tracekeeper.engine.tasks import end
from tracekeeper.sockets import options
from tracekeeper.sockets.options import Keepalive

GATHER = 0.0005
"""Seconds that a stream of many small pieces is left alone. dockerd sends each line of a log by
itself, and to be woken for each costs the reader, and dockerd too, more than the line does. A UNIX
socket holds no more than 278 short lines, dockerd's work of 2 ms: who waits longer stops it."""
SPRINT = 8
"""So many small pieces in a row, each of them there at once, are such a stream."""
SMALL = READ_SIZE // 2

HEAD_START = 0.25
"""Seconds that an address has for itself before the next one is tried too (RFC 8305 §5)."""

_Address: TypeAlias = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]


def host_name(name: str) -> str:
    """The name of a host as DNS and HTTP have it, in ASCII (RFC 3490). Raises ValueError for what
    can be none."""
    found = name.encode("idna").decode()
    if not re.fullmatch("[!-~]+", found):
        raise ValueError(f"{name!r} is no name of a host")
    return found


async def unix_stream(path: str) -> "StreamConnection":
    """A connection to a UNIX socket. Raises OSError."""
    sock = socket.socket(socket.AF_UNIX)
    try:
        await _connect(sock, path)
    except BaseException:
        sock.close()
        raise
    return await stream(sock)


async def tcp_stream(host: str, port: int, keepalive: Keepalive | None) -> "StreamConnection":
    """A connection to the first address of `host` that answers; one that is silent keeps the
    others from being tried for `HEAD_START` only. Raises OSError."""
    addresses = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return await stream(await _race(addresses, keepalive))


async def stream(sock: socket.socket) -> "StreamConnection":
    """A connection over a connected socket, which is closed if that fails."""
    loop = asyncio.get_running_loop()
    reader = _Reader(READ_SIZE, loop)
    protocol = _Protocol(reader, sock, loop)
    try:
        transport, _ = await loop.create_connection(lambda: protocol, sock=sock)
    except BaseException:
        sock.close()
        raise
    return StreamConnection(reader, asyncio.StreamWriter(transport, protocol, reader, loop))


async def _race(addresses: Sequence[_Address], keepalive: Keepalive | None) -> socket.socket:
    """The first socket that is connected; the others are closed. Raises the last OSError."""
    waiting = list(addresses)
    attempts: dict[asyncio.Task[None], socket.socket] = {}
    failure: BaseException = OSError("it has no address")
    winner = None
    try:
        while winner is None and (waiting or any(not task.done() for task in attempts)):
            if waiting:
                sock, address = _socket(waiting.pop(0), keepalive)
                attempts[asyncio.create_task(_connect(sock, address))] = sock
            done, _ = await asyncio.wait(
                [task for task in attempts if not task.done()],
                timeout=HEAD_START if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in done:
                if error := task.exception():
                    failure = error
                else:
                    winner = attempts[task]
    finally:
        await end(*attempts)
        for sock in attempts.values():
            if sock is not winner:
                sock.close()
    if winner is None:
        raise failure
    return winner


def _socket(address: _Address, keepalive: Keepalive | None) -> tuple[socket.socket, object]:
    family, kind, protocol, _, where = address
    sock = socket.socket(family, kind, protocol)
    options.apply(sock, keepalive)
    return sock, where


async def _connect(sock: socket.socket, address: object) -> None:
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, address)  # type: ignore[arg-type]


class _Reader(asyncio.StreamReader):
    """Gives what came before the connection broke, and only then the `failure`."""

    failure: Exception | None = None

    def set_exception(self, exc: Exception) -> None:
        """The connection broke."""
        self.failure = exc
        self.feed_eof()


class _Protocol(asyncio.StreamReaderProtocol):
    """Reads to the end also where a write has failed: asyncio would drop what the kernel still has,
    and that may be the other side's reason."""

    def __init__(
        self, reader: _Reader, sock: socket.socket, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(reader, loop=loop)
        self._rest = reader
        self._sock = sock

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio closes the socket after this."""
        if exc is not None:
            with contextlib.suppress(OSError):
                while data := self._sock.recv(READ_SIZE):
                    self._rest.feed_data(data)
        super().connection_lost(exc)


class StreamConnection:
    """A `Connection` over a socket that asyncio reads and writes."""

    def __init__(self, reader: _Reader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._sprint = 0

    async def read(self) -> bytes:
        """See `Connection.read`."""
        if self._sprint >= SPRINT:
            _gather()
        asked = time.monotonic()
        data = await self._reader.read(READ_SIZE)
        at_once = time.monotonic() - asked < GATHER
        self._sprint = self._sprint + 1 if at_once and len(data) < SMALL else 0
        if not data and (failure := self._reader.failure) is not None:
            raise _lost(failure) from failure
        return data

    async def write(self, data: bytes) -> None:
        """See `Connection.write`."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise _lost(self._reader.failure or error) from error

    async def write_eof(self) -> None:
        """See `Connection.write_eof`."""
        try:
            self._writer.write_eof()
        except OSError as error:
            raise _lost(error) from error

    @property
    def socket(self) -> "socket.socket":
        """See `Connection.socket`."""
        found: socket.socket = self._writer.get_extra_info("socket")
        return found

    @property
    def usable(self) -> bool:
        """See `Connection.usable`."""
        return not self._reader.at_eof() and not self._writer.is_closing()

    def close(self) -> None:
        """See `Connection.close`."""
        self._writer.transport.abort()


def _gather() -> None:
    """Let the kernel collect what comes. asyncio's own timers count whole milliseconds."""
    time.sleep(GATHER)


def _lost(error: Exception) -> ConnectionLost:
    why = reason(error) if isinstance(error, OSError) else str(error) or type(error).__name__
    return ConnectionLost(f"the connection to the Docker Engine broke: {why}")


def reason(error: OSError) -> str:
    """The system's own words; asyncio puts its own in their place."""
    if error.errno and not isinstance(error, socket.gaierror):
        return os.strerror(error.errno)
    return error.strerror or str(error) or type(error).__name__
