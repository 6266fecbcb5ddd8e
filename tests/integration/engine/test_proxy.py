"""Tunnels through HTTP proxies, and proxies that make none."""

import asyncio

import pytest
from tests.support.relay import HttpProxy, Server, echo

from tracekeeper.engine.errors import EngineUnreachable
from tracekeeper.engine.host import Host
from tracekeeper.engine.transport import dialler
from tracekeeper.errors import UsageError


async def exchanged(host: Host, data: bytes) -> bytes:
    """What comes back for `data` until the other side has finished."""
    connection = await dialler(host)()
    try:
        await connection.write(data)
        await connection.write_eof()
        parts = []
        while part := await connection.read():
            parts.append(part)
        return b"".join(parts)
    finally:
        connection.close()
        await asyncio.sleep(0)


def why_not(proxy: str) -> str:
    with pytest.raises(EngineUnreachable) as caught:
        asyncio.run(exchanged(Host("tcp://engine.test:1", proxy=proxy), b""))
    return caught.value.message


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_tunnel(address: str) -> None:
    proxy = HttpProxy()
    with Server(echo, address=address) as engine, Server(proxy) as server:
        name = f"[{address}]" if ":" in address else address
        url = f"tcp://{name}:{engine.port}"
        through = f"http://me%40home:p%3Aw@127.0.0.1:{server.port}"
        sent = b"data" * 100_000
        assert asyncio.run(exchanged(Host(url, proxy=through), sent)) == sent
    (request,) = proxy.requests
    assert request.startswith(f"CONNECT {name}:{engine.port} HTTP/1.1\r\n".encode())
    assert f"host: {name}:{engine.port}\r\n".encode() in request.lower()
    assert b"Basic bWVAaG9tZTpwOnc=\r\n" in request  # me@home:p:w


def test_an_engine_with_a_name_beyond_ascii() -> None:
    proxy = HttpProxy(answer=b"HTTP/1.1 502 No\r\n\r\n")
    with Server(proxy) as server:
        host = Host("tcp://bücher.example:1", proxy=f"http://127.0.0.1:{server.port}")
        with pytest.raises(EngineUnreachable, match="502 No"):
            asyncio.run(exchanged(host, b""))
    assert proxy.requests[0].startswith(b"CONNECT xn--bcher-kva.example:1 HTTP/1.1\r\n")


def test_informational_answers_are_passed_over() -> None:
    async def hint(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")
        await echo(reader, writer)

    with Server(hint) as server:
        host = Host("tcp://engine.test:1", proxy=f"http://127.0.0.1:{server.port}")
        assert asyncio.run(exchanged(host, b"x")) == b"x"


def test_no_credentials_where_none_are_given() -> None:
    proxy = HttpProxy()
    with Server(echo) as engine, Server(proxy) as server:
        host = Host(f"tcp://127.0.0.1:{engine.port}", proxy=f"http://127.0.0.1:{server.port}")
        assert asyncio.run(exchanged(host, b"x")) == b"x"
    assert b"authorization" not in proxy.requests[0].lower()


def test_who_speaks_first_is_heard() -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"welcome")

    async def main(host: Host) -> None:
        connection = await dialler(host)()
        assert connection.usable
        assert connection.socket.getpeername()[1] == server.port
        got = b""
        while data := await connection.read():
            got += data
        assert got == b"welcome"
        connection.close()
        await asyncio.sleep(0)

    with Server(greet) as engine, Server(HttpProxy()) as server:
        proxy = f"http://127.0.0.1:{server.port}"
        asyncio.run(main(Host(f"tcp://127.0.0.1:{engine.port}", proxy=proxy)))


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "makes no tunnel: 407 Proxy Auth"),
        (b"HTTP/1.1 502 \r\n\r\n", "makes no tunnel: 502"),
        (b"SSH-2.0-x\r\n\r\n", "does not answer as an HTTP proxy does"),
        (b"HTTP/1.1 101 Switching\r\n\r\n", "does not answer as an HTTP proxy does"),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n", "does not answer as an HTTP proxy does"),
        (b"", "does not answer as an HTTP proxy does"),
    ],
)
def test_a_proxy_that_makes_no_tunnel(answer: bytes, says: str) -> None:
    with Server(HttpProxy(answer=answer)) as server:
        said = why_not(f"http://me:hunter2@127.0.0.1:{server.port}")
    assert says in said
    assert "the proxy 127.0.0.1 on the way to tcp://engine.test:1" in said
    assert "hunter2" not in said


def test_a_proxy_that_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracekeeper.engine.proxy.CONNECT_TIMEOUT", 0.1)

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            pass

    with Server(silent) as server:
        assert "does not answer in" in why_not(f"http://127.0.0.1:{server.port}")


def test_a_proxy_that_is_not_there() -> None:
    assert "cannot be reached: Connection refused" in why_not("http://127.0.0.1:1")


@pytest.mark.parametrize(
    "url",
    [
        "socks5://me:hunter2@proxy",
        "http://me:hunter2@",
        "http://me:hunter2@proxy:port",
        "http://me:hun/ter2@proxy",
        "me:hunter2@proxy",
        "http://me:hunter2@a..b",
    ],
)
def test_what_is_no_proxy(url: str) -> None:
    with pytest.raises(UsageError, match="is no HTTP proxy") as caught:
        dialler(Host("tcp://engine.test:1", proxy=url))
    assert "ter2" not in caught.value.message


@pytest.mark.parametrize("url", ["tcp://me:hunter2@h", "ssh://me:hunter2@h", "tcp://h:hunter2@h:x"])
def test_no_password_of_an_engine_is_told(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        dialler(Host(url))
    assert "hunter2" not in caught.value.message
