"""An engine behind SSH: one OpenSSH client for each `Engine` forwards a socket of ours to the
engine's own, so that every request is a channel of one connection.

It is the user's own ssh: their configuration, agent and known hosts count, and nothing is needed
on the other side but the forwarding of sockets (AllowStreamLocalForwarding). It never asks for
anything (BatchMode). Its keepalives are messages of SSH (ServerAliveInterval): they are answered
by the server itself, so they cross proxies, and data on its way does not hold them back.

A shell watches over the ssh program: when our end of its standard input closes, because we are
done or because we were killed, it ends ssh and removes the directory of the socket.
"""

import asyncio
import contextlib
import os
import re
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from urllib.parse import urlsplit

import msgspec

from tracekeeper.engine.connection import CONNECT_TIMEOUT, Connection
from tracekeeper.engine.errors import ConnectionLost, EngineUnreachable
from tracekeeper.engine.host import Host
from tracekeeper.engine.stream import unix_stream
from tracekeeper.errors import UsageError
from tracekeeper.sockets.options import Keepalive

ENGINE_SOCKET = "/var/run/docker.sock"
FOR_PROXY = "TRACEKEEPER_SSH_HOST"
"""The variable that tells proxy_command.py which proxy: a password has no place among arguments."""

_WATCH = 'trap : TERM; "$@" </dev/null & exec >&- 2>&-; read -r _; kill 0; wait; rm -rf "$0"'
_SOCKET = "engine.sock"
_KEPT = 8192  # bytes of what ssh says
_LINES = 3
_END = 2.0  # seconds to end in, before it is killed
_DOUBT = 0.1  # seconds after the end of a stream in which ssh says why, or turns out to have ended
_LONGEST = 60  # characters of a directory, so that the path of a socket in it is not too long


class SshDial:
    """Dials through one ssh program, which is started when it is needed, and again when it died.

    Raises UsageError for an address that ssh cannot be given, or if there is no ssh.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._socket = engine_socket(host)
        self._session: _Session | None = None
        self._one_by_one = asyncio.Lock()
        if not shutil.which("ssh"):
            raise UsageError(
                f"{host.url} is reached by the OpenSSH program, and there is no `ssh`",
                hint="install it (openssh-client)",
            )

    async def __call__(self) -> Connection:
        """See `Dial`."""
        async with self._one_by_one:
            if self._session is None or self._session.has_ended:
                self.close()
                self._session = await _start(self._host, self._socket)
            session = self._session
        try:
            inner = await unix_stream(session.path)
        except OSError as error:
            raise EngineUnreachable(
                f"the SSH connection to {self._host.url} is gone: {session.reason}"
            ) from error
        return _SshConnection(inner, session)

    def close(self) -> None:
        """See `Dial`."""
        if self._session is not None:
            self._session.close()
            self._session = None


def engine_socket(host: Host) -> str:
    """The engine's socket on the other side. Raises UsageError."""
    parts = urlsplit(host.url)
    path = parts.path if parts.path.strip("/") else ENGINE_SOCKET
    names = (parts.hostname or "", parts.username or "_")
    if all(re.fullmatch(r"\w[\w.:\\-]*", name) for name in names) and re.fullmatch(
        r"[\w./@+,=-]+", path
    ):
        return path
    raise UsageError(
        f"{host.url} has characters that are not passed to ssh",
        hint="write ssh://[user@]host[:port][/path]; an alias in ~/.ssh/config can stand for more",
    )


async def _start(host: Host, remote: str) -> "_Session":
    """Start ssh and wait until it forwards. Raises EngineUnreachable with ssh's own words."""
    ready = secrets.token_hex(8)
    session = _Session(host, remote, ready)
    try:
        async with asyncio.timeout(2 * CONNECT_TIMEOUT):
            await session.open(_command(host, f"{session.path}:{remote}", ready))
    except TimeoutError:
        session.close()
        raise EngineUnreachable(
            f"ssh makes no connection to {host.url} within {2 * CONNECT_TIMEOUT:.0f} s"
        ) from None
    except BaseException:
        session.close()
        raise
    return session


def _command(host: Host, forward: str, ready: str) -> list[str]:
    """Host keys, identities and addresses are left to the user's configuration."""
    parts = urlsplit(host.url)
    command = ["ssh", "-N", "-T", "-L", forward]
    for option in _options(host, ready):
        command += ["-o", option]
    if parts.username:
        command += ["-l", parts.username]
    if parts.port:
        command += ["-p", str(parts.port)]
    return [*command, "--", parts.hostname or ""]


def _options(host: Host, ready: str) -> Iterator[str]:
    yield from ("BatchMode=yes", f"ConnectTimeout={CONNECT_TIMEOUT:.0f}", "LogLevel=INFO")
    # A connection of our own: a shared one (ControlMaster) would outlive us, and without our
    # keepalives. Forwards of the user's own may be taken already, which is not our concern.
    yield from ("ControlMaster=no", "ControlPath=none", "ExitOnForwardFailure=no")
    # It is run once the forwards stand.
    yield from ("PermitLocalCommand=yes", f"LocalCommand=echo {ready}")
    interval, count = alive(host.keepalive)
    yield from (f"ServerAliveInterval={interval}", f"ServerAliveCountMax={count}")
    yield f"TCPKeepAlive={'no' if host.keepalive is None else 'yes'}"
    if host.proxy:
        python = shlex.quote(sys.executable).replace("%", "%%")
        yield f"ProxyCommand={python} -m tracekeeper.engine.proxy_command %h %p"


def alive(keepalive: Keepalive | None) -> tuple[int, int]:
    """ServerAliveInterval and ServerAliveCountMax: ssh asks after each interval of silence, and
    gives up at the next one after `CountMax` questions, so after interval × (count + 1)."""
    if keepalive is None:
        return 0, 3
    patience = keepalive.interval * keepalive.count
    return keepalive.idle, max(1, patience // keepalive.idle)


class _Session(asyncio.Protocol):
    """One ssh program, and what it says on its standard output and error."""

    def __init__(self, host: Host, remote: str, ready: str) -> None:
        self.host = host
        self.remote = remote
        self._ready = ready.encode()
        self._opened = asyncio.Event()
        self._ended = asyncio.Event()
        self._said = b""
        self._process: subprocess.Popen[bytes] | None = None
        self._transport: asyncio.BaseTransport | None = None
        self._directory = _new_directory()
        self.path = f"{self._directory}/{_SOCKET}"

    async def open(self, command: list[str]) -> None:
        """Start `command`, and wait until it forwards. Raises EngineUnreachable."""
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = self._started(command, theirs)
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_connection(lambda: self, sock=ours)
        await self._opened.wait()
        if self.has_ended or not self._forwards():
            raise EngineUnreachable(
                f"ssh makes no connection to {self.host.url}: {self.reason}",
                hint=f"try `{self._by_hand()}`; it must work without asking for anything",
            )

    def _started(self, command: list[str], output: socket.socket) -> subprocess.Popen[bytes]:
        # Of a session of its own: Ctrl-C is for us, and what we end may need the engine.
        return subprocess.Popen(
            ["sh", "-c", _WATCH, self._directory, *command],
            stdin=subprocess.PIPE,
            stdout=output.fileno(),
            stderr=output.fileno(),
            cwd="/",
            env=_environment(self.host),
            start_new_session=True,
        )

    def _forwards(self) -> bool:
        return os.path.exists(self.path)

    def _by_hand(self) -> str:
        parts = urlsplit(self.host.url)
        user = f"{parts.username}@" if parts.username else ""
        port = f" -p {parts.port}" if parts.port else ""
        return f"ssh{port} {user}{parts.hostname} true"

    def data_received(self, data: bytes) -> None:
        """What ssh says."""
        self._said = (self._said + data)[-_KEPT:]
        if self._ready in self._said:
            self._said = self._said.replace(self._ready, b"")
            self._opened.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended."""
        self._ended.set()
        self._opened.set()

    @property
    def has_ended(self) -> bool:
        """Whether ssh is gone."""
        return self._ended.is_set()

    async def wait_end(self, seconds: float) -> None:
        """Wait so long for its end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ended.wait()

    @property
    def reason(self) -> str:
        """The last that ssh said."""
        lines = [line.strip() for line in self._said.decode(errors="replace").splitlines()]
        return "; ".join([line for line in lines if line][-_LINES:]) or "ssh does not say why"

    def close(self) -> None:
        """End ssh, and with it every connection that goes through it."""
        if self._transport is not None:
            self._transport.close()
        if self._process is not None:
            _end(self._process)
            self._process = None
        shutil.rmtree(self._directory, ignore_errors=True)


def _new_directory() -> str:
    """A private directory, near enough to the root for the path of a socket."""
    near = len(tempfile.gettempdir()) <= _LONGEST
    return tempfile.mkdtemp(prefix="tracekeeper-ssh-", dir=None if near else "/tmp")  # noqa: S108


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let the shell end its ssh and itself; kill both if they do not."""
    assert process.stdin is not None, "it was started with a pipe"
    process.stdin.close()
    try:
        process.wait(_END)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _environment(host: Host) -> dict[str, str]:
    """A login shell that refuses to be one must not run ssh's local commands."""
    environ = {**os.environ, "SHELL": "/bin/sh"}
    if host.proxy:
        environ[FOR_PROXY] = msgspec.json.encode(host).decode()
    return environ


class _SshConnection:
    """A `Connection` through ssh. A stream that ends because ssh did is a lost one."""

    def __init__(self, inner: Connection, session: _Session) -> None:
        self._inner = inner
        self._session = session
        self._heard = False
        self.write_eof, self.close = inner.write_eof, inner.close

    async def read(self) -> bytes:
        """See `Connection.read`."""
        try:
            data = await self._inner.read()
        except ConnectionLost as error:
            await self._session.wait_end(_DOUBT)
            raise self._lost(error) from error
        if not data:
            await self._session.wait_end(_DOUBT)
            if self._session.has_ended or not self._heard:
                raise self._lost(ConnectionLost("the stream ended"))
        self._heard = True
        return data

    async def write(self, data: bytes) -> None:
        """See `Connection.write`."""
        try:
            await self._inner.write(data)
        except ConnectionLost as error:
            await self._session.wait_end(_DOUBT)
            raise self._lost(error) from error

    def _lost(self, error: ConnectionLost) -> ConnectionLost:
        """What ssh says about it: that it has ended, or that the server refused the channel."""
        session = self._session
        if session.has_ended:
            return ConnectionLost(
                f"the SSH connection to {session.host.url} ended: {session.reason}"
            )
        if self._heard:
            return error
        return ConnectionLost(f"SSH reaches no engine at {session.remote}: {session.reason}")

    @property
    def socket(self) -> socket.socket:
        """See `Connection.socket`."""
        return self._inner.socket

    @property
    def usable(self) -> bool:
        """See `Connection.usable`."""
        return self._inner.usable and not self._session.has_ended
