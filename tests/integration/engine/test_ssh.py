"""An engine behind a real sshd."""

import asyncio
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.relay import HttpProxy, Server, echo
from tests.support.ssh import SshServer

from tracekeeper.engine.client import Engine
from tracekeeper.engine.connection import Connection
from tracekeeper.engine.errors import ConnectionLost, EngineUnreachable
from tracekeeper.engine.host import Host
from tracekeeper.engine.transport import dialler
from tracekeeper.errors import UsageError
from tracekeeper.runner.processes import children, descendants
from tracekeeper.sockets.options import DEFAULT, Keepalive

SOON = Keepalive(idle=1, interval=1, count=1, user_timeout=1)
PASSWORD = "hunter2"


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshServer]:
    (tmp_path / "ssh").mkdir()
    with SshServer(tmp_path / "ssh") as server, tempfile.TemporaryDirectory() as scratch:
        monkeypatch.setenv("PATH", f"{server.programs}:{os.environ['PATH']}")
        monkeypatch.setattr("tempfile.tempdir", scratch)
        yield server
        try:
            until(lambda: not ours())
        finally:
            for pid in ours():
                os.kill(pid, signal.SIGKILL)
        assert os.listdir(scratch) == []


def until(condition: Callable[[], object]) -> None:
    limit = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)


def command_line(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return []


def ours() -> list[int]:
    """What runs to forward a socket, of this process or of one that is gone."""
    found = [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]
    mark = f"{tempfile.gettempdir()}/tracekeeper-ssh-"
    return [pid for pid in found if any(mark in word for word in command_line(pid))]


def the_program(name: str) -> int:
    """The child of ours with this program."""
    (found,) = [
        pid
        for pid in descendants(children(os.getpid()))
        if any(word.endswith(name) for word in command_line(pid)[:3])
        and "-c" not in command_line(pid)
    ]
    return found


def tcp_sockets(pid: int) -> list[socket.socket]:
    """Copies of the TCP sockets of another process."""
    libc = ctypes.CDLL(None, use_errno=True)
    found = []
    handle = os.pidfd_open(pid)
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        if os.readlink(entry).startswith("socket:"):
            sock = socket.socket(fileno=libc.syscall(438, handle, int(entry.name), 0))
            if sock.family == socket.AF_UNIX:
                sock.close()
            else:
                found.append(sock)
    os.close(handle)
    return found


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[str]:
    """The URL of something behind that server that sends back what it gets."""
    with Server(echo, address=f"{tmp_path}/e"):
        yield f"ssh://box{tmp_path}/e"


async def exchanged(connection: Connection, data: bytes) -> bytes:
    await connection.write(data)
    answer = b""
    while len(answer) < len(data):
        answer += await connection.read()
    return answer


# --------------------------------------------------------------------------------- it carries


@pytest.mark.docker
def test_an_engine(ssh: SshServer, engine_url: str, busybox: str) -> None:
    async def main() -> None:
        async with await Engine.connect(f"ssh://box{engine_url.removeprefix('unix://')}") as engine:
            await asyncio.gather(*(engine.ping() for _ in range(20)))
            command = ["/bin/busybox", "sh", "-c", "exit 7"]
            made = await engine.containers.create({"Image": busybox, "Cmd": command})
            try:
                async with engine.containers.wait(made, "next-exit") as waiting:
                    await engine.containers.start(made)
                    assert await waiting.exit_code() == 7
            finally:
                await engine.containers.remove(made)

    asyncio.run(main())
    assert len(ssh.processes) == 1


@pytest.mark.docker
def test_an_address_without_an_alias(ssh: SshServer, engine_url: str) -> None:
    async def main() -> None:
        path = engine_url.removeprefix("unix://")
        url = f"ssh://127.0.0.1:{ssh.port}{path}"
        (await Engine.connect(url)).close()

    asyncio.run(main())


def test_much_both_ways_and_a_half_closed_end(ssh: SshServer, engine: str) -> None:
    sent = os.urandom(4 * 1024 * 1024)

    async def send(connection: Connection) -> None:
        await connection.write(sent)
        await connection.write_eof()

    async def main() -> None:
        dial = dialler(Host(engine))
        connection = await dial()
        sending = asyncio.create_task(send(connection))
        got = b""
        while data := await connection.read():
            got += data
        await sending
        assert got == sent
        assert not connection.usable
        connection.close()
        dial.close()

    asyncio.run(main())


def test_dials_at_once_share_one_ssh(ssh: SshServer, engine: str) -> None:
    async def main() -> None:
        dial = dialler(Host(engine))
        connections = await asyncio.gather(*(dial() for _ in range(10)))
        for connection in connections:
            assert await exchanged(connection, b"hello") == b"hello"
            connection.close()
        dial.close()

    asyncio.run(main())
    assert len(ssh.processes) == 1


# ------------------------------------------------------------------------------------ it ends


def test_a_closed_dial_ends_its_connections(ssh: SshServer, engine: str) -> None:
    async def main() -> None:
        dial = dialler(Host(engine))
        connection = await dial()
        assert await exchanged(connection, b"hello") == b"hello"
        dial.close()
        assert ours() == []
        with pytest.raises(ConnectionLost, match=r"the SSH connection to ssh://box.* ended"):
            await connection.read()
        connection.close()

    asyncio.run(main())


def test_an_ssh_that_died_is_started_again(ssh: SshServer, engine: str) -> None:
    async def main() -> None:
        dial = dialler(Host(engine))
        connection = await dial()
        assert await exchanged(connection, b"hello") == b"hello"
        os.kill(the_program("ssh"), signal.SIGKILL)
        with pytest.raises(ConnectionLost, match="ended: ssh does not say why"):
            await connection.read()
        assert not connection.usable
        again = await dial()
        assert await exchanged(again, b"hello") == b"hello"
        for done in (connection, again, dial):
            done.close()

    asyncio.run(main())
    assert len(ssh.processes) == 2


def test_a_host_that_is_dead_is_known_by_its_silence(ssh: SshServer, engine: str) -> None:
    async def main() -> None:
        dial = dialler(Host(engine, keepalive=SOON))
        connection = await dial()
        assert await exchanged(connection, b"hello") == b"hello"
        ssh.signal(ssh.processes[0], signal.SIGSTOP)
        with pytest.raises(ConnectionLost, match=r"ended: Timeout, server 127\.0\.0\.1 not"):
            await connection.read()
        connection.close()
        dial.close()

    asyncio.run(main())


def test_who_gives_up_early_leaves_nothing(ssh: SshServer) -> None:
    """The server accepts, and says nothing."""

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            dial = dialler(Host(f"ssh://127.0.0.1:{silent.getsockname()[1]}"))
            dialling = asyncio.create_task(dial())
            while not ours():
                await asyncio.sleep(0.01)
            dialling.cancel()
            with pytest.raises(asyncio.CancelledError):
                await dialling
            assert ours() == []
            dial.close()

    asyncio.run(main())


def test_a_server_that_says_nothing(ssh: SshServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracekeeper.engine.ssh.CONNECT_TIMEOUT", 0.2)

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            dial = dialler(Host(f"ssh://127.0.0.1:{silent.getsockname()[1]}"))
            with pytest.raises(EngineUnreachable, match="ssh makes no connection to ssh://"):
                await dial()

    asyncio.run(main())


ORPHAN = """
import asyncio, os, signal, sys, tempfile
from tracekeeper.engine.host import Host
from tracekeeper.engine.transport import dialler

async def main():
    await dialler(Host("ssh://box", proxy=sys.argv[2]))()
    os.kill(os.getpid(), signal.SIGKILL)

tempfile.tempdir = sys.argv[1]
asyncio.run(main())
"""


@pytest.mark.parametrize("proxied", [False, True])
def test_nothing_outlives_us_when_we_are_killed(ssh: SshServer, proxied: bool) -> None:
    """That nothing is left, processes or files, is what the fixture looks for."""
    with Server(HttpProxy()) as proxy:
        url = f"http://127.0.0.1:{proxy.port}" if proxied else ""
        scratch = tempfile.gettempdir()
        done = subprocess.run([sys.executable, "-c", ORPHAN, scratch, url], timeout=60)
        assert done.returncode == -signal.SIGKILL
        assert len(ssh.processes) == 1
        until(lambda: not os.listdir(scratch))


# --------------------------------------------------------------------------- it says why not


def reason(url: str, **host: object) -> str:
    """Why there is no engine at `url`."""

    async def main() -> None:
        (await Engine.connect(Host(url, **host))).close()  # type: ignore[arg-type]

    with pytest.raises(EngineUnreachable) as caught:
        asyncio.run(main())
    return caught.value.message


def test_nobody_listens(ssh: SshServer) -> None:
    assert "Connection refused" in reason("ssh://127.0.0.1:1")


def test_a_host_that_is_not_known(ssh: SshServer) -> None:
    ssh.know(1)
    assert "Host key verification failed" in reason("ssh://box")


def test_a_key_that_is_not_taken(ssh: SshServer) -> None:
    shutil.copy(ssh.directory / "stranger.pub", ssh.directory / "id.pub")
    (ssh.directory / "id").write_bytes((ssh.directory / "host").read_bytes())
    assert "Permission denied (publickey)" in reason("ssh://box")


def test_no_engine_on_the_other_side(ssh: SshServer, tmp_path: Path) -> None:
    said = reason(f"ssh://box{tmp_path}/none")
    assert f"SSH reaches no engine at {tmp_path}/none: " in said
    assert "open failed" in said


def test_a_server_that_does_not_forward_sockets(ssh: SshServer) -> None:
    ssh.configure("AllowStreamLocalForwarding no\n")
    assert "open failed" in reason("ssh://box")


def test_an_engine_that_hangs_up(ssh: SshServer, tmp_path: Path) -> None:
    async def main() -> None:
        server = await asyncio.start_unix_server(lambda _, w: w.close(), tmp_path / "e")
        dial = dialler(Host(f"ssh://box{tmp_path}/e"))
        connection = await dial()
        with pytest.raises(ConnectionLost, match="SSH reaches no engine"):
            await connection.read()
        connection.close()
        dial.close()
        server.close()

    asyncio.run(main())


def test_a_directory_whose_name_is_too_long_for_a_socket(
    ssh: SshServer, engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("x" * 120)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))

    async def main() -> None:
        dial = dialler(Host(engine))
        connection = await dial()
        assert await exchanged(connection, b"hello") == b"hello"
        connection.close()
        dial.close()

    asyncio.run(main())


def test_there_is_no_ssh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match="there is no `ssh`"):
        dialler(Host("ssh://box"))


# ------------------------------------------------------------------------------- it keeps alive


def test_ssh_has_a_keepalive_too(ssh: SshServer, engine: str) -> None:
    async def main(keepalive: Keepalive | None, on: int) -> None:
        dial = dialler(Host(engine, keepalive=keepalive))
        connection = await dial()
        (sock,) = tcp_sockets(the_program("ssh"))
        with sock:
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == on
        connection.close()
        dial.close()

    asyncio.run(main(DEFAULT, 1))
    asyncio.run(main(None, 0))


# ------------------------------------------------------------------------------------- proxies


@pytest.mark.parametrize("keepalive", [DEFAULT, SOON, None])
def test_through_an_http_proxy(ssh: SshServer, engine: str, keepalive: Keepalive | None) -> None:
    proxy = HttpProxy()

    async def main(port: int) -> None:
        url_of_proxy = f"http://me:{PASSWORD}@127.0.0.1:{port}"
        dial = dialler(Host(engine, proxy=url_of_proxy, keepalive=keepalive))
        connection = await dial()
        assert await exchanged(connection, b"hello" * 100_000) == b"hello" * 100_000
        running = [command_line(pid) for pid in descendants(children(os.getpid()))]
        assert PASSWORD not in str(running)
        (sock,) = tcp_sockets(the_program("tracekeeper.engine.proxy_command"))
        with sock:
            assert sock.getpeername()[1] == port
            assert kernel(sock) == keepalive
        connection.close()
        dial.close()

    with Server(proxy) as server:
        asyncio.run(main(server.port))
    (request,) = proxy.requests
    assert request.startswith(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n" % ssh.port)
    assert b"Proxy-Authorization: Basic bWU6aHVudGVyMg==" in request


def kernel(sock: socket.socket) -> Keepalive | None:
    if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE):
        return None
    idle, interval, count, timeout = (
        sock.getsockopt(socket.IPPROTO_TCP, option)
        for option in (
            socket.TCP_KEEPIDLE,
            socket.TCP_KEEPINTVL,
            socket.TCP_KEEPCNT,
            socket.TCP_USER_TIMEOUT,
        )
    )
    return Keepalive(idle, interval, count, timeout // 1000)


def test_a_proxy_that_refuses(ssh: SshServer) -> None:
    refusal = b"HTTP/1.1 403 not that way\r\n\r\n"
    with Server(HttpProxy(answer=refusal)) as server:
        said = reason("ssh://box", proxy=f"http://me:{PASSWORD}@127.0.0.1:{server.port}")
    assert "the proxy 127.0.0.1 on the way to ssh://box makes no tunnel: 403 not that way" in said
    assert PASSWORD not in said


def test_a_proxy_that_is_gone(ssh: SshServer) -> None:
    assert "Connection refused" in reason("ssh://box", proxy="http://127.0.0.1:1")
