"""The engine client against scripted servers: what a daemon, or the way to it, can do wrong."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support import relay

from tracekeeper.engine import client
from tracekeeper.engine.client import Engine, agreed_version
from tracekeeper.engine.errors import ConnectionLost, EngineRefused, EngineUnreachable
from tracekeeper.engine.host import Host
from tracekeeper.engine.http import Timeouts
from tracekeeper.engine.images import Progress
from tracekeeper.engine.models import Version
from tracekeeper.engine.stream import StreamConnection
from tracekeeper.engine.transport import dialler
from tracekeeper.errors import UsageError
from tracekeeper.sockets import options

CLOSE = b""  # a server that hangs up instead of answering
SILENT = None  # a server that says nothing, and listens
STUCK = b"stuck"  # a server that says nothing, and does not listen
Answer = bytes | None


def json_answer(body: bytes, status: bytes = b"200 OK") -> bytes:
    head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % (status, len(body)) + body


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + end


VERSION = json_answer(b'{"Version": "27.0", "ApiVersion": "1.46", "MinAPIVersion": "1.24"}')
OK = json_answer(b"{}")


class Server:
    """Each connection answers its requests with one answer after the other, then hangs up."""

    def __init__(self, url: str, connections: Sequence[Sequence[Answer]]) -> None:
        self.url = url
        self.requests: list[bytes] = []
        self.reads_bodies = True
        self.released = asyncio.Event()
        self._connections = iter(connections)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for answer in next(self._connections, ()):
                await self._request(reader)
                if answer is SILENT:
                    await reader.read()
                if answer == STUCK:
                    await self.released.wait()
                if not answer or answer == STUCK:
                    return
                writer.write(answer)
                await writer.drain()
                if not self.reads_bodies:  # as Go's server, which waits before it resets
                    await self.released.wait()
        except (asyncio.IncompleteReadError, OSError):
            return
        finally:
            writer.close()

    async def _request(self, reader: asyncio.StreamReader) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if not self.reads_bodies:
            pass
        elif b"Transfer-Encoding: chunked" in head:
            head += await reader.readuntil(b"0\r\n\r\n")
        elif b"Content-Length: " in head:
            size = head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]
            head += await reader.readexactly(int(size))
        self.requests.append(head)


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., None]:
    """`play(test, *connections)` runs `test(server)` against connections with these answers."""

    @asynccontextmanager
    async def serving(connections: Sequence[Sequence[Answer]]) -> AsyncIterator[Server]:
        path = str(tmp_path / "engine.sock")
        server = Server(f"unix://{path}", connections)
        listener = await asyncio.start_unix_server(server.serve, path)
        try:
            yield server
        finally:
            server.released.set()
            listener.close()
            await asyncio.sleep(0)

    def run(
        test: Callable[[Server], Coroutine[Any, Any, None]], *connections: Sequence[Answer]
    ) -> None:
        async def main() -> None:
            async with serving(connections) as server:
                await test(server)

        asyncio.run(main())

    return run


Play = Callable[..., None]


# ---------------------------------------------------------------------------------- negotiation


@pytest.mark.parametrize(
    ("newest", "oldest", "agreed"),
    [("1.41", "1.12", "1.41"), ("1.46", "1.24", "1.46"), ("1.60", "1.44", "1.52")],
)
def test_the_newest_common_version_is_spoken(newest: str, oldest: str, agreed: str) -> None:
    assert agreed_version(Version("1", newest, oldest)) == agreed


@pytest.mark.parametrize(
    ("newest", "oldest", "sentence"),
    [
        ("1.40", "1.12", "too old: it is version 9 and speaks API 1.40"),
        ("2.0", "1.53", "too new: it is version 9 and demands API 1.53"),
        ("", "1.0", "names no version"),
        ("1.x", "1.0", "names no version"),
        ("१.४१", "1.0", "names no version"),
        ("1." + "9" * 5000, "1.0", "names no version.*: '1[.]9{18}'$"),
    ],
)
def test_no_common_version(newest: str, oldest: str, sentence: str) -> None:
    with pytest.raises(EngineUnreachable, match=sentence):
        agreed_version(Version("9", newest, oldest))


def test_requests_carry_the_version(play: Play) -> None:
    async def test(server: Server) -> None:
        async with await Engine.connect(server.url) as engine:
            await engine.ping()
        assert server.requests[0].startswith(b"GET /version HTTP/1.1\r\n")
        assert server.requests[1].startswith(b"GET /v1.46/_ping HTTP/1.1\r\n")

    play(test, [VERSION, OK])


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (CLOSE, "no Docker Engine answers at"),
        (b"SSH-2.0-OpenSSH\r\n", "no Docker Engine answers at"),
        (json_answer(b"<html>"), "what answers at .* is no Docker Engine"),
        (json_answer(b'{"Version": "\xff"}'), "what answers at .* is no Docker Engine"),
        (json_answer(b'{"x": ' + b"[" * 200_000), "what answers at .* is no Docker Engine"),
        (json_answer(b'{"message": "\xff"}', b"500 Oops"), "refused: {.message"),
        (json_answer(b"{}", b"500 Oops"), "refused: HTTP status 500"),
        (json_answer(b"oops", b"500 Oops"), "refused: oops"),
        (json_answer(b'{"ApiVersion": "1.1"}'), "too old"),
        (SILENT, "gave no complete answer within 0 s"),
    ],
)
def test_what_is_no_engine(play: Play, answer: Answer, sentence: str) -> None:
    async def test(server: Server) -> None:
        with pytest.raises(EngineUnreachable, match=sentence):
            await Engine.connect(server.url, timeouts=Timeouts(answer=0.1, silence=0.1))

    play(test, [answer])


# ------------------------------------------------------------------------- answers cut short


WANTS_TLS = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"


@pytest.mark.parametrize(("scheme", "hint"), [("tcp", "set DOCKER_TLS"), ("http", "http:// is")])
def test_an_engine_that_wants_tls(scheme: str, hint: str) -> None:
    async def main() -> str | None:
        listener = await asyncio.start_server(Server("", [[WANTS_TLS]]).serve, "127.0.0.1", 0)
        async with listener:
            port = listener.sockets[0].getsockname()[1]
            return await client.answers(f"{scheme}://127.0.0.1:{port}")

    reason = asyncio.run(main())
    assert reason is not None
    assert f"Client sent an HTTP request to an HTTPS server. ({hint}" in reason
    assert "DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH" in reason


def lost(play: Play, answer: Answer, *, timeouts: Timeouts = Timeouts()) -> str:  # noqa: B008
    caught: list[str] = []

    async def test(server: Server) -> None:
        async with await Engine.connect(server.url, timeouts=timeouts) as engine:
            with pytest.raises(ConnectionLost) as error:
                await engine.containers.inspect("x")
            caught.append(error.value.message)

    play(test, [VERSION, answer], [answer])
    return caught[0]


def test_an_answer_that_is_cut_short_is_lost(play: Play) -> None:
    assert "before its answer was complete" in lost(play, json_answer(b"{" + b" " * 50)[:-5])


def test_a_chunked_answer_that_is_cut_short_is_lost(play: Play) -> None:
    assert "before its answer was complete" in lost(play, chunked(b"{}", end=b""))


def test_an_answer_that_is_too_long_is_lost(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracekeeper.engine.http.MAX_BODY", 100)
    assert "longer than 100 bytes" in lost(play, json_answer(b"{" + b" " * 100 + b"}"))


def test_a_silent_engine_is_lost(play: Play) -> None:
    assert "no complete answer" in lost(play, SILENT, timeouts=Timeouts(answer=0.1))


@pytest.mark.parametrize(
    ("beginning", "again"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"a"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    ],
)
def test_an_answer_that_trickles_in_has_to_end_in_time(beginning: bytes, again: bytes) -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(beginning)
        while True:
            writer.write(again)
            await writer.drain()
            await asyncio.sleep(0.01)

    async def main(port: int) -> None:
        with pytest.raises(EngineUnreachable, match="gave no complete answer"):
            async with asyncio.timeout(5):
                await Engine.connect(
                    f"tcp://127.0.0.1:{port}", timeouts=Timeouts(answer=0.2, silence=60.0)
                )

    with relay.Server(trickle) as server:
        asyncio.run(main(server.port))


async def log_of(server: Server) -> bytes:
    async with (
        await Engine.connect(server.url) as engine,
        engine.containers.logs("x", follow=True) as chunks,
    ):
        return b"".join([chunk async for chunk in chunks])


@pytest.mark.parametrize(
    "answer", [chunked(b"a", b"b" * 70_000), b"HTTP/1.1 200 OK\r\n\r\na" + b"b" * 70_000]
)
def test_a_stream_that_ends(play: Play, answer: bytes) -> None:
    async def test(server: Server) -> None:
        assert await log_of(server) == b"a" + b"b" * 70_000

    play(test, [VERSION], [answer])


def test_a_chunk_that_is_none_breaks_a_stream(play: Play) -> None:
    async def test(server: Server) -> None:
        with pytest.raises(ConnectionLost, match="a chunk of size b'zz'"):
            await log_of(server)

    play(test, [VERSION], [chunked(b"a", end=b"zz\r\n")])


@pytest.mark.parametrize("end", [b"", b"0", b"5\r\nab"])
def test_a_stream_that_is_cut_is_told_from_one_that_ends(play: Play, end: bytes) -> None:
    async def test(server: Server) -> None:
        with pytest.raises(ConnectionLost, match="before its answer was complete"):
            await log_of(server)

    play(test, [VERSION], [chunked(b"a", end=end)])


# ------------------------------------------------------------------------------------- retries


def test_a_kept_connection_that_is_dead_is_replaced_for_what_is_idempotent(play: Play) -> None:
    async def test(server: Server) -> None:
        async with await Engine.connect(server.url) as engine:
            await engine.ping()
        assert len(server.requests) == 3

    play(test, [VERSION, CLOSE], [OK])


def test_nothing_else_is_sent_twice(play: Play) -> None:
    async def test(server: Server) -> None:
        async with await Engine.connect(server.url) as engine:
            with pytest.raises(ConnectionLost):
                await engine.containers.start("x")
        assert len(server.requests) == 2

    play(test, [VERSION, CLOSE], [OK])


def test_a_connection_that_was_closed_meanwhile_is_not_used(play: Play) -> None:
    async def test(server: Server) -> None:
        async with await Engine.connect(server.url) as engine:
            while engine._idle and engine._idle[0][0].usable:
                await asyncio.sleep(0)
            await engine.containers.start("x")
        assert len(server.requests) == 2

    play(test, [VERSION], [OK])


def test_an_engine_that_lets_us_wait_is_asked_whether_it_is_there(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "QUESTION", 0.05)
    monkeypatch.setattr(client, "_PROBE", Timeouts(answer=0.2, silence=0.2))

    async def test(server: Server) -> None:
        async with await Engine.connect(server.url) as engine:
            with pytest.raises(
                ConnectionLost, match=r"no answer came, and .* gave no complete answer"
            ):
                await engine.containers.start("x")
        assert [request.split()[1] for request in server.requests[1:]] == [
            b"/v1.46/containers/x/start",
            b"/v1.46/_ping",
            b"/v1.46/_ping",
        ]

    play(test, [VERSION, SILENT], [OK], [SILENT])


def test_a_fresh_connection_that_breaks_is_lost(play: Play) -> None:
    async def test(server: Server) -> None:
        async with await Engine.connect(server.url) as engine:
            with pytest.raises(ConnectionLost):
                await engine.ping()

    play(test, [VERSION, CLOSE], [CLOSE])


def test_informational_answers_are_passed_over(play: Play) -> None:
    async def test(server: Server) -> None:
        async with await Engine.connect(server.url) as engine:
            await engine.ping()

    play(test, [VERSION, b"HTTP/1.1 102 Processing\r\n\r\n" + OK])


# -------------------------------------------------------------------------------- API peculiarities


async def upload(server: Server, body: AsyncIterator[bytes], timeouts: Timeouts) -> None:
    """Upload to a server that does not read; it answers as a connection's first answer says."""
    async with await Engine.connect(server.url, timeouts=timeouts) as engine:
        server.reads_bodies = False
        await engine.containers.put_archive("x", "/", body)


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield bytes(100_000)


def test_a_refused_upload_tells_why(play: Play) -> None:
    async def test(server: Server) -> None:
        with pytest.raises(EngineRefused, match="no such container") as caught:
            await upload(server, endless(), Timeouts())
        assert (caught.value.status, caught.value.reason) == (404, "no such container")

    play(test, [VERSION, json_answer(b'{"message": "no such container"}', b"404 Not Found")])


@pytest.mark.parametrize("timeouts", [Timeouts(silence=0.1), Timeouts(answer=0.1, silence=5.0)])
def test_an_upload_that_nobody_takes_is_lost(play: Play, timeouts: Timeouts) -> None:
    async def short() -> AsyncIterator[bytes]:
        yield b"all of it"

    async def test(server: Server) -> None:
        body = endless() if timeouts.silence < 1 else short()
        with pytest.raises(ConnectionLost, match=r"took nothing|no complete answer"):
            await upload(server, body, timeouts)

    play(test, [VERSION, STUCK])


def test_an_upload_whose_source_fails(play: Play) -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield b"some of it"
        raise UsageError("the source is gone")

    async def test(server: Server) -> None:
        with pytest.raises(UsageError, match="the source is gone"):
            await upload(server, failing(), Timeouts())

    play(test, [VERSION, STUCK])


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n",
    ],
)
def test_attach_with_and_without_an_upgrade(play: Play, head: bytes) -> None:
    async def test(server: Server) -> None:
        async with (
            await Engine.connect(server.url) as engine,
            engine.containers.attach("x") as frames,
        ):
            assert b"".join([data async for data in frames]) == b"early" + b"x" * 100_000

    play(test, [VERSION, head + b"early" + b"x" * 100_000])


def test_an_error_in_a_pull_that_had_begun(play: Play) -> None:
    lines = chunked(
        b'{"status": "Pulling"}\r\n{"status": "Down',
        b'loading", "id": "a1"}\r\n{"errorDetail": {"message": "no space left"}}',
    )

    async def test(server: Server) -> None:
        async with await Engine.connect(server.url) as engine:
            pull = engine.images.pull("a/b:1", platform="linux/arm64", auth="x")
            found = [await anext(pull), await anext(pull)]
            with pytest.raises(EngineRefused, match="no space left"):
                await anext(pull)
        assert found == [Progress("Pulling"), Progress("Downloading", "a1")]
        assert b"fromImage=a%2Fb&tag=1&platform=linux%2Farm64" in server.requests[1]
        assert b"X-Registry-Auth: x" in server.requests[1]

    play(test, [VERSION, lines])


PULLING = chunked(b'{"status": "Pulling"}\n', end=b"")


def test_a_pull_that_falls_silent_ends_with_the_engine(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "QUESTION", 0.05)
    monkeypatch.setattr(client, "_PROBE", Timeouts(answer=0.2, silence=0.2))

    async def test(server: Server) -> None:
        async with await Engine.connect(server.url) as engine:
            pull = engine.images.pull("a")
            assert await anext(pull) == Progress("Pulling")
            with pytest.raises(ConnectionLost, match=r"no answer came, and .* gave no complete"):
                await anext(pull)
        assert [request.split()[1] for request in server.requests[2:]] == [b"/v1.46/_ping"] * 3

    play(test, [VERSION, PULLING, SILENT], [OK], [OK], [SILENT])


def test_a_line_of_a_pull_that_is_damaged(play: Play) -> None:
    async def test(server: Server) -> None:
        async with await Engine.connect(server.url) as engine:
            with pytest.raises(ConnectionLost, match=r"no line of a pull: .*xff"):
                await anext(engine.images.pull("a"))

    play(test, [VERSION, chunked(b'{"status": "\xff"}\n')])


@pytest.mark.parametrize(
    ("status", "reason"),
    [(b"404 Not Found", b"no such"), (b"409 Conflict", b"removal is already in progress")],
)
def test_removing_what_is_gone(play: Play, status: bytes, reason: bytes) -> None:
    async def test(server: Server) -> None:
        async with await Engine.connect(server.url) as engine:
            await engine.containers.remove("x")

    play(test, [VERSION, json_answer(b'{"message": "%s"}' % reason, status)])


@pytest.mark.parametrize("status", [b"409 Conflict", b"500 Oops"])
def test_removing_what_cannot_be_removed(play: Play, status: bytes) -> None:
    async def test(server: Server) -> None:
        async with await Engine.connect(server.url) as engine:
            with pytest.raises(EngineRefused):
                await engine.networks.remove("x")
            with pytest.raises(EngineRefused):
                await engine.images.inspect("x")

    answer = json_answer(b'{"message": "in use"}', status)
    play(test, [VERSION, answer, answer])


def test_killing_what_does_not_run(play: Play) -> None:
    async def test(server: Server) -> None:
        async with await Engine.connect(server.url) as engine:
            await engine.containers.kill("x")
            with pytest.raises(EngineRefused):
                await engine.containers.kill("x")

    answers = [json_answer(b"{}", b"409 Conflict"), json_answer(b"{}", b"500 Oops")]
    play(test, [VERSION, *answers])


def test_an_engine_without_volumes(play: Play) -> None:
    async def test(server: Server) -> None:
        async with await Engine.connect(server.url) as engine:
            assert await engine.volumes.list("x") == []

    play(test, [VERSION, json_answer(b'{"Volumes": null}')])


# ------------------------------------------------------------------------------------ transport


@pytest.mark.parametrize(
    "url",
    [
        *["", "docker", "unix://", "unix://host/path", "tcp://", "tcp://h:x", "tcp://h/p"],
        *["ftp://h", "tcp://a..b:2375", "tcp://.example:2376", f"tcp://{'a' * 70}", "tcp://a b"],
    ],
)
def test_urls_that_lead_nowhere(url: str) -> None:
    with pytest.raises(UsageError):
        dialler(Host(url))


def test_tcp_has_its_keepalive(play: Play) -> None:
    async def main() -> None:
        accepted: list[asyncio.StreamWriter] = []
        listener = await asyncio.start_server(lambda _, w: accepted.append(w), "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        connection = await dialler(Host(f"tcp://localhost:{port}"))()
        assert isinstance(connection, StreamConnection)
        sock = connection._writer.get_extra_info("socket")
        assert options.read_back(sock) == options.DEFAULT
        connection.close()
        listener.close()
        await asyncio.sleep(0)
        for writer in accepted:
            writer.close()

    asyncio.run(main())


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(EngineUnreachable, match="can be reached at tcp"):
        asyncio.run(Engine.connect(f"tcp://127.0.0.1:{port}"))


def test_a_dial_takes_no_longer_than_its_limit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tracekeeper.engine.transport.CONNECT_TIMEOUT", 0.05)
    with socket.socket(socket.AF_UNIX) as full:
        full.bind(str(tmp_path / "s"))
        full.listen(0)
        with socket.socket(socket.AF_UNIX) as first:
            first.connect(str(tmp_path / "s"))
            with pytest.raises(EngineUnreachable):
                asyncio.run(Engine.connect(f"unix://{tmp_path}/s"))


def test_a_reset_is_a_lost_connection() -> None:
    async def main() -> None:
        async def reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()

        listener = await asyncio.start_server(reset, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        connection = await dialler(Host(f"tcp://127.0.0.1:{port}"))()
        with pytest.raises(ConnectionLost, match="broke: Connection reset by peer"):
            await connection.read()
        connection.close()
        listener.close()

    asyncio.run(main())
