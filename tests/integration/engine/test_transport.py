"""What the kernel has for the socket of every way to an engine, and how addresses are tried."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.support.certificates import Authority, client_tls, write_all
from tests.support.relay import HttpProxy, Server

from tracekeeper.engine.connection import Connection
from tracekeeper.engine.errors import EngineUnreachable
from tracekeeper.engine.host import Host
from tracekeeper.engine.transport import dialler, keepalive_of
from tracekeeper.sockets.options import DEFAULT, Keepalive

KEEPALIVES = [DEFAULT, Keepalive(idle=3, interval=2, count=4, user_timeout=11), None]


async def hold(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_all(tmp_path_factory.mktemp("tls") / "all", Authority())


@pytest.fixture(scope="module")
def server_tls(certificates: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server-key.pem")
    return context


def on_connection(host: Host, look: Callable[[Connection], None]) -> None:
    async def main() -> None:
        dial = dialler(host)
        connection = await dial()
        try:
            look(connection)
        finally:
            connection.close()
            dial.close()
            await asyncio.sleep(0)

    asyncio.run(main())


def kernel(sock: socket.socket) -> Keepalive | None:
    """Read without any code of ours."""
    if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE):
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 0
        return None
    return Keepalive(
        idle=sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
        interval=sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
        count=sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
        user_timeout=sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) // 1000,
    )


@pytest.mark.parametrize("keepalive", KEEPALIVES)
@pytest.mark.parametrize("proxy", ["", "http", "https"])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_every_tcp_connection_has_its_keepalive(
    address: str,
    tls: bool,
    proxy: str,
    keepalive: Keepalive | None,
    certificates: Path,
    server_tls: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates / "ca.pem"))
    with contextlib.ExitStack() as stack:
        engine = stack.enter_context(Server(hold, address=address, tls=server_tls if tls else None))
        name = f"[{address}]" if ":" in address else address
        host = Host(f"tcp://{name}:{engine.port}", keepalive=keepalive)
        if tls:
            host = replace(host, tls=replace(client_tls(certificates), verify=":" not in address))
        if proxy:
            far = Server(HttpProxy(), tls=server_tls if proxy == "https" else None)
            port = stack.enter_context(far).port
            host = replace(host, proxy=f"{proxy}://localhost:{port}")
        peers = {port if proxy else engine.port}

        def look(connection: Connection) -> None:
            assert kernel(connection.socket) == keepalive
            assert {connection.socket.getpeername()[1]} == peers
            assert keepalive_of(connection) == ("off" if keepalive is None else str(keepalive))

        on_connection(host, look)


def test_a_unix_socket_has_none(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{tmp_path}/s")
        listener.listen()

        def look(connection: Connection) -> None:
            assert keepalive_of(connection) == "none"

        on_connection(Host(f"unix://{tmp_path}/s"), look)


# ----------------------------------------------------------------------------------- addresses


@contextlib.contextmanager
def black_hole(address: str) -> Iterator[int]:
    """A port whose listener takes no more connections: what is sent there is lost."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server((address, 0), backlog=0))
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(listener.getsockname())
        yield listener.getsockname()[1]


def resolve(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[str, int]) -> None:
    """Let ``engine.test`` have these addresses, in this order."""

    def getaddrinfo(*_: object, **__: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def peer_of_dial() -> str:
    found: list[str] = []
    on_connection(Host("tcp://engine.test:1"), lambda c: found.append(c.socket.getpeername()[0]))
    return found[0]


def test_an_address_that_is_silent_does_not_stand_in_the_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Were it waited for, the time to connect would be over first."""
    with (
        black_hole("127.0.0.1") as first,
        black_hole("127.0.0.2") as second,
        Server(hold, address="127.0.0.3") as server,
    ):
        addresses = [("127.0.0.1", first), ("127.0.0.2", second), ("127.0.0.3", server.port)]
        resolve(monkeypatch, *addresses)
        assert peer_of_dial() == "127.0.0.3"


def test_the_first_address_that_answers_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(hold, address="127.0.0.1") as one, Server(hold, address="127.0.0.2") as two:
        resolve(monkeypatch, ("127.0.0.1", one.port), ("127.0.0.2", two.port))
        monkeypatch.setattr("tracekeeper.engine.stream.HEAD_START", 60)
        assert peer_of_dial() == "127.0.0.1"


def test_an_address_that_refuses_is_passed_over_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracekeeper.engine.stream.HEAD_START", 60)
    with Server(hold, address="127.0.0.2") as server:
        resolve(monkeypatch, ("127.0.0.1", 1), ("127.0.0.2", server.port))
        assert peer_of_dial() == "127.0.0.2"


def test_two_that_answer_at_once_leave_one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracekeeper.engine.stream.HEAD_START", 0)
    with Server(hold, address="127.0.0.1") as one, Server(hold, address="127.0.0.2") as two:
        resolve(monkeypatch, ("127.0.0.1", one.port), ("127.0.0.2", two.port))
        assert peer_of_dial() in {"127.0.0.1", "127.0.0.2"}


def test_no_address_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve(monkeypatch, ("127.0.0.1", 1), ("127.0.0.2", 1))
    with pytest.raises(EngineUnreachable, match="Connection refused"):
        peer_of_dial()
    resolve(monkeypatch)
    with pytest.raises(EngineUnreachable, match="no address"):
        peer_of_dial()


def test_who_waits_for_silent_addresses_can_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracekeeper.engine.transport.CONNECT_TIMEOUT", 0.05)
    with black_hole("127.0.0.1") as port:
        resolve(monkeypatch, ("127.0.0.1", port))
        with pytest.raises(EngineUnreachable, match="within"):
            peer_of_dial()
