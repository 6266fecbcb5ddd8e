"""A real dockerd in a lab: started, stopped, killed and asked past every network."""

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from tracekeeper.net.lab import without_keepalive
from tracekeeper.net.lab.errors import LabError
from tracekeeper.net.lab.image import IMPORT, NAME, root_file_system
from tracekeeper.net.lab.keeper import Keeper
from tracekeeper.net.lab.network import HOST

NEEDED = {"dockerd": "docker.io", "iptables": "iptables"}
START_SECONDS = 60.0
STOP_SECONDS = 40.0


def freeze(pid: int) -> None:
    """Stop a process where it is (SIGSTOP), and wait until all its threads have stopped."""
    os.kill(pid, signal.SIGSTOP)
    deadline = time.monotonic() + STOP_SECONDS
    while not all(_has_stopped(stat) for stat in Path(f"/proc/{pid}/task").glob("*/stat")):
        if time.monotonic() > deadline:
            raise LabError(f"process {pid} goes on after SIGSTOP")
        time.sleep(0.001)


def _has_stopped(stat: Path) -> bool:
    try:
        return stat.read_text().rpartition(") ")[2].startswith(("T", "t"))
    except (FileNotFoundError, ProcessLookupError):  # the thread has ended
        return True


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a UNIX socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        """See HTTPConnection.connect."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Daemon:
    """One dockerd of the lab; its data are the lab's and outlive a restart.

    `settings` are those of Docker's daemon.json. It runs with the network of the lab's host.
    Without `keepalive` it sends none, as one that was built by Go before 1.13.
    """

    def __init__(
        self, keeper: Keeper, settings: Mapping[str, Any], *, keepalive: bool = True
    ) -> None:
        self._keeper = keeper
        self._keepalive = keepalive
        self.socket = keeper.home / "docker.sock"
        self.log = keeper.home / "dockerd.log"
        self._config = keeper.home / "daemon.json"
        self.settings = {
            **settings,
            "hosts": [f"unix://{self.socket}", *settings.get("hosts", ())],
            "data-root": "/run/lab-engine",
            "cgroup-parent": keeper.name,
        }
        if not self._iptables_work():
            self.settings |= {"iptables": False, "ip6tables": False}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it answers. Raises LabError with the end of its log."""
        if self.runs:
            raise LabError("the lab's dockerd runs already")
        self._config.write_text(json.dumps(self.settings))
        argv = ["dockerd", "--config-file", str(self._config)]
        with self.log.open("ab") as log:
            self.process = self._keeper.start(
                argv if self._keepalive else without_keepalive.command(argv),
                HOST,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # containerd writes its stacks into this directory after the daemon was paused.
                env={**os.environ, "TMPDIR": str(self._keeper.home)},
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise LabError(f"the lab's dockerd did not start:\n{self._last_words()}")
            time.sleep(0.05)

    def stop(self, *, kill: bool = False) -> None:
        """End it with SIGTERM, or at once with SIGKILL, and wait until it has ended."""
        process, self.process = self._running(), None
        process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @property
    def runs(self) -> bool:
        """Whether there is a process, paused or not."""
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        """Raises LabError if it does not run."""
        return self._running().pid

    def answers(self) -> bool:
        """Whether its API can be spoken to."""
        try:
            return self._request("GET", "/_ping")[0] == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False

    def ask(self, method: str, target: str, body: object = None) -> Any:
        """Send one request past every network and return the answer, JSON where it is that.

        Raises LabError if the engine refuses.
        """
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        status, answer = self._request(method, target, data)
        if status >= http.HTTPStatus.BAD_REQUEST:
            said = answer.decode(errors="replace").strip()
            raise LabError(f"the lab's engine answered {status} to {method} {target}: {said}")
        try:
            return json.loads(answer)
        except ValueError:
            return answer

    def ensure_image(self) -> None:
        """Import busybox:latest from this machine's busybox if it is not there."""
        status, _ = self._request("GET", f"/images/{NAME}/json")
        if status == http.HTTPStatus.OK:
            return
        self.ask("POST", f"/images/create?{IMPORT}", root_file_system())

    def _request(self, method: str, target: str, body: bytes | None = None) -> tuple[int, bytes]:
        kind = "application/json" if body and body[:1] == b"{" else "application/x-tar"
        with closing(UnixConnection(self.socket)) as connection:
            connection.request(method, target, body, {"Content-Type": kind} if body else {})
            response = connection.getresponse()
            return response.status, response.read()

    def _running(self) -> subprocess.Popen[bytes]:
        if self.process is None or not self.runs:
            raise LabError("the lab's dockerd does not run")
        return self.process

    def _iptables_work(self) -> bool:
        try:
            self._keeper.call(["iptables", "--table", "nat", "--list"], HOST)
        except LabError:
            return False
        return True

    def _last_words(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])
