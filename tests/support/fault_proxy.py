"""A proxy that breaks connections, below TLS, on UNIX sockets or TCP.

It runs in a thread of its own. Each connection gets its faults from a plan, by its number, and
each fault strikes after a given number of bytes of one direction, wherever in a frame or a TLS
record that is. What was injected, and where, is kept in `injected` and can be printed.
"""

import asyncio
import contextlib
import random
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, Self, TypeAlias
from urllib.parse import urlsplit

import msgspec

from tracekeeper.engine.tasks import end

BLOCK = 64 * 1024

Direction: TypeAlias = Literal["up", "down"]
Kind: TypeAlias = Literal["rst", "fin", "stall", "half-open", "delay"]


class Fault(msgspec.Struct, frozen=True):
    """What happens to a connection after `at` bytes of one direction ("up" is to the server).

    rst, fin: it is ended on both sides. stall: nothing is read or forwarded any more, either way,
    and it stays open. half-open: this direction is swallowed, the other goes on. delay: this
    direction pauses for `seconds`.
    """

    kind: Kind
    direction: Direction
    at: int
    seconds: float = 0.0


class Injected(msgspec.Struct, frozen=True):
    """A fault that struck: which connection, and the last request seen on it (not inside TLS)."""

    connection: int
    fault: Fault
    request: str

    def __str__(self) -> str:
        where = f"byte {self.fault.at} {self.fault.direction}"
        return f"{self.fault.kind} at {where} of connection {self.connection} {self.request}"


Plan: TypeAlias = Callable[[int], Sequence[Fault]]


def no_faults(_connection: int) -> Sequence[Fault]:
    """Forward everything."""
    return ()


def cuts(chance: random.Random, *, every: float, span: int, most: int) -> Plan:
    """A plan that breaks a share `every` of the connections, `most` in all, within `span` bytes.

    A third of the cuts fall where heads of requests and answers and the first frames are.
    """
    left = most

    def plan(_connection: int) -> Sequence[Fault]:
        nonlocal left
        if not left or chance.random() > every:
            return ()
        left -= 1
        kind = chance.choice(("rst", "fin"))
        direction: Direction = "up" if chance.random() < 0.2 else "down"
        at = chance.randrange(chance.choice((2000, span // 10, span)))
        return (Fault("rst" if kind == "rst" else "fin", direction, at),)

    return plan


class FaultProxy:
    """Forwards connections at `listen` to `upstream`, both ``unix://PATH`` or ``tcp://HOST:PORT``.

    Use as a context manager. `url` is where it listens; port 0 becomes a free one. `paused` black-
    holes everything, old connections and new ones, until it is taken back.
    """

    def __init__(self, upstream: str, listen: str, plan: Plan = no_faults) -> None:
        self.injected: list[Injected] = []
        self.connections = 0
        self.url = listen
        self._upstream = upstream
        self._plan = plan
        self._loop = asyncio.new_event_loop()
        self._open = asyncio.Event()
        self._links: set[_Link] = set()
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._refusing = False

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10), "the proxy does not listen"
        return self

    def __exit__(self, *_error: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        assert not self._thread.is_alive(), "the proxy does not end"

    def pause(self) -> None:
        """Black-hole everything: nothing is forwarded, nothing is closed, anybody may connect."""
        self._call(self._open.clear)

    def resume(self) -> None:
        """Forward again, also what waited."""
        self._call(self._open.set)

    def refuse(self, refusing: bool) -> None:
        """Whether new connections are reset at once."""
        self._refusing = refusing

    def cut_all(self, kind: Literal["rst", "fin"] = "rst") -> None:
        """End every connection."""

        def cut() -> None:
            for link in list(self._links):
                link.close(kind)

        self._call(cut)

    def report(self) -> str:
        """What was injected, a line each."""
        return "\n".join(map(str, self.injected)) or "nothing was injected"

    def _call(self, function: Callable[[], object]) -> None:
        async def call() -> None:
            function()

        asyncio.run_coroutine_threadsafe(call(), self._loop).result(10)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._open.set()
        listener = _listener(self.url)
        if listener.family != socket.AF_UNIX:
            self.url = "tcp://{}:{}".format(*listener.getsockname()[:2])
        self._ready.set()
        async with asyncio.TaskGroup() as group:
            accepting = group.create_task(self._accept(listener, group))
            await self._stop.wait()
            accepting.cancel()
            for link in list(self._links):
                link.task.cancel()
        listener.close()

    async def _accept(self, listener: socket.socket, group: asyncio.TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        while True:
            client, _ = await loop.sock_accept(listener)
            if self._refusing:
                _reset(client)
                continue
            number, self.connections = self.connections, self.connections + 1
            link = _Link(client, number, self._plan(number), self._open, self.injected.append)
            link.task = group.create_task(self._carry(link))

    async def _carry(self, link: "_Link") -> None:
        self._links.add(link)
        try:
            await link.carry(self._upstream)
        except asyncio.CancelledError:
            if not self._stop.is_set():
                raise
        finally:
            self._links.remove(link)


class _Link:
    """One connection: client and server, and the two directions between them."""

    def __init__(
        self,
        client: socket.socket,
        number: int,
        faults: Sequence[Fault],
        opened: asyncio.Event,
        note: Callable[[Injected], None],
    ) -> None:
        self.task: asyncio.Task[None]
        self._client = client
        self._number = number
        self._faults = faults
        self._opened = opened
        self._note = note
        self._stalled = False
        self._how: Literal["rst", "fin"] = "fin"
        self._ended = 0
        self._request = ""
        self._closed = asyncio.Event()

    async def carry(self, upstream: str) -> None:
        """Forward until both sides have finished or it is closed; both are, in the end."""
        family, address = _address(upstream)
        with socket.socket(family) as server, self._client as client:
            server.setblocking(False)
            try:
                await self._opened.wait()
                await asyncio.get_running_loop().sock_connect(server, address)
                await self._until_closed(client, server)
            except OSError:
                self.close("rst")
            finally:
                if self._how == "rst":
                    _reset(client)
                    _reset(server)

    def close(self, kind: Literal["rst", "fin"]) -> None:
        """End it on both sides, soon."""
        self._how = kind
        self._closed.set()

    async def _until_closed(self, client: socket.socket, server: socket.socket) -> None:
        ways = [
            asyncio.ensure_future(self._forward("up", client, server)),
            asyncio.ensure_future(self._forward("down", server, client)),
        ]
        try:
            await self._closed.wait()
        finally:
            await end(*ways)

    async def _forward(
        self, direction: Direction, source: socket.socket, target: socket.socket
    ) -> None:
        loop = asyncio.get_running_loop()
        faults = sorted((f for f in self._faults if f.direction == direction), key=lambda f: f.at)
        passed, swallowing = 0, False
        with contextlib.suppress(OSError):
            while data := await loop.sock_recv(source, BLOCK):
                if direction == "up":
                    self._look_at(data)
                for fault in [f for f in faults if f.at < passed + len(data)]:
                    faults.remove(fault)
                    size = max(0, fault.at - passed)
                    await self._send(b"" if swallowing else data[:size], target)
                    passed, data = passed + size, data[size:]
                    swallowing = await self._strike(fault) or swallowing
                await self._send(b"" if swallowing else data, target)
                passed += len(data)
            target.shutdown(socket.SHUT_WR)
            self._ended += 1
            if self._ended == 1:
                return
        self._closed.set()

    async def _send(self, data: bytes, target: socket.socket) -> None:
        await self._opened.wait()
        if self._stalled:
            await asyncio.Event().wait()
        await asyncio.get_running_loop().sock_sendall(target, data)

    async def _strike(self, fault: Fault) -> bool:
        """Let `fault` happen; whether this direction is swallowed from now on."""
        self._note(Injected(self._number, fault, self._request))
        if fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
        elif fault.kind == "stall":
            self._stalled = True
        elif fault.kind == "half-open":
            return True
        else:
            self.close("rst" if fault.kind == "rst" else "fin")
            await asyncio.Event().wait()
        return False

    def _look_at(self, data: bytes) -> None:
        if found := re.match(rb"(?:GET|HEAD|POST|PUT|DELETE) [!-~]+", data):
            self._request = re.sub(r"[0-9a-f]{20,}", "…", found[0].decode())[:120]


def _address(url: str) -> tuple[socket.AddressFamily, str | tuple[str, int]]:
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return socket.AF_UNIX, parts.path
    return socket.AF_INET, (parts.hostname or "", parts.port or 0)


def _listener(url: str) -> socket.socket:
    family, address = _address(url)
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if isinstance(address, str):
        Path(address).unlink(missing_ok=True)
    listener.bind(address)
    listener.listen(256)
    listener.setblocking(False)
    return listener


def _reset(sock: socket.socket) -> None:
    """Close with RST; on a UNIX socket unread data has the same effect, and else it is a FIN."""
    if sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@contextlib.contextmanager
def printed(proxy: FaultProxy) -> Iterator[FaultProxy]:
    """The proxy while it runs; afterwards it prints what it injected (pytest shows that with a
    failure)."""
    try:
        with proxy:
            yield proxy
    finally:
        print(f"{proxy.url} → {proxy._upstream}:\n{proxy.report()}")
