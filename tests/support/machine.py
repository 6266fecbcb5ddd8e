"""A machine with a Docker Engine of its own: real, near, and soon gone.

It is a process namespace with its own network and mounts, so everything in it (daemon, containerd,
shims, containers) ends with it, and nothing outside is touched. The daemon can be frozen, killed,
stopped and started again in it.

The daemon listens on a UNIX socket and, with certificates, by mutual TLS on a TCP port of ours:
the listening socket is handed over to it (``-H fd://``), so no network between the two namespaces
is needed.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scripts.engine import answers, ensure_image

from tracekeeper.net.lab.daemon import UnixConnection, freeze

START_SECONDS = 60.0
STOP_SECONDS = 30.0

# The first process reaps what the daemon leaves, as an init does.
_INIT = """
grep -q " - cgroup" /proc/self/mountinfo ||
  cgroupfs-mount 2>/dev/null || mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up
[ -z "$DISK" ] || mount -t tmpfs -o "size=$DISK" none "$DATA"
echo ready
while :; do sleep 1000 & wait $!; done
"""

# A socket that is handed over has to be descriptor 3 (sd_listen_fds(3)).
_DAEMON = """
[ -z "$LISTEN_FDS" ] || exec 3<&0 </dev/null
export LISTEN_PID=$$
exec dockerd "$@"
"""


class DidNotStart(AssertionError):
    """The daemon ended or did not answer; the end of its log."""


class Machine:
    """Use `started`. `data` is the daemon's data directory as it is seen from inside.

    `config` is its daemon.json. `disk` is the size of a file system of its own for `data` ("" is
    the disk that everything is on). `tls` is a directory with ca.pem, server.pem, server-key.pem;
    `verify_clients` says whether the daemon asks its clients for certificates, too.
    """

    def __init__(
        self,
        home: Path,
        *,
        config: Mapping[str, object] | None = None,
        disk: str = "",
        tls: Path | None = None,
        verify_clients: bool = True,
    ) -> None:
        self.home = home
        self.config = dict(config or {})
        self.tls = tls
        self.verify_clients = verify_clients
        self.port = 0
        self._init = _start_init(home / "data", disk)
        self._daemon: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The daemon's UNIX socket."""
        return f"unix://{self.home}/docker.sock"

    @property
    def tls_url(self) -> str:
        """The daemon's TCP port."""
        return f"tcp://localhost:{self.port}"

    @property
    def root(self) -> Path:
        """The machine's file system, seen from outside."""
        return Path(f"/proc/{self._init_pid}/root")

    @property
    def data(self) -> Path:
        """The daemon's data directory, seen from outside."""
        return self.root / str(self.home / "data").lstrip("/")

    @property
    def log(self) -> str:
        """What all daemons of this machine have said."""
        return (self.home / "log").read_text(errors="replace")

    def start(self) -> None:
        """Start the daemon and wait until it answers."""
        (self.home / "daemon.json").write_text(json.dumps(self.config))
        (self.home / "pid").unlink(missing_ok=True)
        command = [
            *("nsenter", "--target", str(self._init_pid), "--net", "--mount", "--pid"),
            *("sh", "-c", _DAEMON, "dockerd", "--host", self.url),
            *("--config-file", str(self.home / "daemon.json")),
            *("--data-root", str(self.home / "data"), "--exec-root", str(self.home / "exec")),
            *("--pidfile", str(self.home / "pid")),
        ]
        with (self.home / "log").open("ab") as log, _listening(self.tls, self.port) as listener:
            self._daemon = subprocess.Popen(
                [*command, *self._tls_options()],
                stdin=listener.fileno() if listener else subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # containerd writes its stacks into this directory after the daemon was frozen.
                env={**os.environ, "TMPDIR": str(self.home), **_handed_over(listener)},
                start_new_session=True,
            )
            if listener:
                self.port = listener.getsockname()[1]
        self._wait_until_it_answers()
        ensure_image(self.url)

    def stop(self) -> None:
        """Stop the daemon politely and wait until it is gone."""
        self._signal(signal.SIGTERM)
        self._reap()

    def kill(self) -> None:
        """Kill the daemon (-9). What it had in memory is lost."""
        self._signal(signal.SIGKILL)
        self._reap()

    def freeze(self) -> None:
        """Stop the daemon from running, without ending it."""
        assert self._daemon is not None
        freeze(_child(self._daemon.pid))

    def thaw(self) -> None:
        """Let a frozen daemon go on."""
        assert self._daemon is not None
        self._daemon.send_signal(signal.SIGCONT)  # nsenter has stopped with its child
        self._signal(signal.SIGCONT)

    def end(self) -> None:
        """Switch the machine off."""
        gone = os.pidfd_open(self._init_pid)
        try:
            self._init.kill()
            self._init.wait(STOP_SECONDS)
            if self._daemon is not None:
                self._daemon.send_signal(signal.SIGCONT)
            assert select.select([gone], [], [], STOP_SECONDS)[0], "the machine does not end"
        finally:
            os.close(gone)
        if self._daemon is not None:
            self._daemon.wait(STOP_SECONDS)

    def api(self, method: str, path: str, body: bytes = b"") -> Any:
        """A request past our own client. A status of 400 and more is an AssertionError."""
        connection = UnixConnection(self.home / "docker.sock")
        with contextlib.closing(connection):
            headers = {"Content-Type": "application/json"} if body else {}
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            data = response.read()
        assert response.status < 400, data
        return json.loads(data) if data[:1] in b"[{" and data else None

    def docker(self, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
        """The Docker CLI, the oracle that we did not write, on this daemon. It has to succeed."""
        ran = subprocess.run(
            ["docker", "--host", self.url, *arguments],
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert ran.returncode == 0, (arguments, ran.stderr)
        return ran

    def left(self) -> list[str]:
        """Containers, volumes and networks that are not the daemon's own."""
        containers = self.api("GET", "/containers/json?all=1")
        volumes = self.api("GET", "/volumes")["Volumes"] or []
        networks = self.api("GET", "/networks")
        return [
            *(f"container {c['Names'][0]} {c['State']}" for c in containers),
            *(f"volume {v['Name']}" for v in volumes),
            *(f"network {n['Name']}" for n in networks if n["Name"] not in _OWN_NETWORKS),
        ]

    def wipe(self) -> None:
        """Remove all containers, networks and volumes but the daemon's own."""
        for container in self.api("GET", "/containers/json?all=1"):
            self.api("DELETE", f"/containers/{container['Id']}?force=1&v=1")
        for network in self.api("GET", "/networks"):
            if network["Name"] not in _OWN_NETWORKS:
                self.api("DELETE", f"/networks/{network['Id']}")
        for volume in self.api("GET", "/volumes")["Volumes"] or []:
            self.api("DELETE", f"/volumes/{volume['Name']}")

    @property
    def _init_pid(self) -> int:
        return _child(self._init.pid)

    def _tls_options(self) -> list[str]:
        if self.tls is None:
            return []
        return [
            *("--host", "fd://", f"--tlsverify={str(self.verify_clients).lower()}"),
            *("--tlscacert", f"{self.tls}/ca.pem"),
            *("--tlscert", f"{self.tls}/server.pem", "--tlskey", f"{self.tls}/server-key.pem"),
        ]

    def _wait_until_it_answers(self) -> None:
        assert self._daemon is not None
        deadline = time.monotonic() + START_SECONDS
        while not answers(self.url):
            if self._daemon.poll() is not None or time.monotonic() > deadline:
                raise DidNotStart(self.log[-3000:])
            time.sleep(0.02)

    def _signal(self, number: signal.Signals) -> None:
        assert self._daemon is not None
        os.kill(_child(self._daemon.pid), number)

    def _reap(self) -> None:
        assert self._daemon is not None
        self._daemon.wait(STOP_SECONDS)
        self._daemon = None


_OWN_NETWORKS = {"bridge", "host", "none"}


@contextlib.contextmanager
def started(
    *,
    config: Mapping[str, object] | None = None,
    disk: str = "",
    tls: Path | None = None,
    verify_clients: bool = True,
) -> Iterator[Machine]:
    """A machine whose daemon answers; nothing of it is left afterwards."""
    home = Path(tempfile.mkdtemp(prefix="m-"))
    try:
        machine = Machine(home, config=config, disk=disk, tls=tls, verify_clients=verify_clients)
        try:
            machine.start()
            yield machine
        finally:
            machine.end()
    finally:
        shutil.rmtree(home)


def _start_init(data: Path, disk: str) -> subprocess.Popen[bytes]:
    data.mkdir()
    process = subprocess.Popen(
        [
            *("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
            *("sh", "-c", _INIT),
        ],
        env={**os.environ, "DISK": disk, "DATA": str(data)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == b"ready\n"
    return process


@contextlib.contextmanager
def _listening(tls: Path | None, port: int) -> Iterator[socket.socket | None]:
    """A listening socket for the daemon to take over; ours is closed again, so that nobody
    listens once the daemon is dead."""
    if tls is None:
        yield None
        return
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
        yield listener


def _handed_over(listener: socket.socket | None) -> dict[str, str]:
    return {} if listener is None else {"LISTEN_FDS": "1"}


def _child(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
