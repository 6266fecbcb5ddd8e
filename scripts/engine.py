#!/usr/bin/env python3
"""Run a command with a Docker Engine at hand:  scripts/engine.py COMMAND [ARGUMENT...]

An Engine that answers on $DOCKER_HOST or on the local socket is used as it is. If none does, and
this is root on Linux with dockerd installed, one is started for as long as the command runs: with
data, sockets, network and mounts of its own, so that nothing on the host changes and no other
Engine is disturbed. Its containers have no way out, and need none: the image that the tests use is
made from the local busybox.

Where no Engine can be had, that is said and the command runs without one; with
TRACEKEEPER_TEST_ALL=1, where nothing may be left out, an Engine that does not start is the end.
"""

import contextlib
import http.client
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tracekeeper.net.lab.daemon import UnixConnection
from tracekeeper.net.lab.errors import LabError
from tracekeeper.net.lab.image import IMPORT, NAME, root_file_system

LOCAL = "unix:///var/run/docker.sock"
START_SECONDS = 60
STOP_SECONDS = 30


class DidNotStart(Exception):
    """The Engine ended or never answered; the message is the end of its log."""


def request(host: str, method: str, target: str, body: bytes | None = None) -> int:
    """Send one request to the Engine at `host` (unix://…) and return the answer's status."""
    with contextlib.closing(UnixConnection(Path(host.removeprefix("unix://")))) as connection:
        connection.request(method, target, body)
        response = connection.getresponse()
        response.read()
        return response.status


def answers(host: str) -> bool:
    try:
        return request(host, "GET", "/_ping") == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False


def main() -> int:
    command = sys.argv[1:]
    if not command:
        sys.exit(__doc__)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    host = os.environ.get("DOCKER_HOST", LOCAL)
    if not host.startswith("unix://") or answers(host):
        say(f"using the one at {host}")
        return run(command, host)
    if why := cannot_start():
        say(f"none: {host} does not answer, and {why}")
        return subprocess.call(command)
    try:
        with started_engine() as host:
            return run(command, host)
    except DidNotStart as failure:
        say(f"it did not start. Its last words:\n{failure}")
        return 1 if os.environ.get("TRACEKEEPER_TEST_ALL") == "1" else subprocess.call(command)


def say(text: str) -> None:
    print(f"Docker Engine: {text}", flush=True)


def run(command: list[str], host: str) -> int:
    if host.startswith("unix://"):
        ensure_image(host)
    return subprocess.call(command, env=os.environ | {"DOCKER_HOST": host})


# ----------------------------------------------------------------------------- an own Engine


def cannot_start() -> str:
    if sys.platform != "linux" or os.geteuid() != 0:
        return "starting one takes root on Linux"
    if not shutil.which("dockerd"):
        return "dockerd is not installed"
    return ""


@contextlib.contextmanager
def started_engine() -> Iterator[str]:
    """Start an Engine, yield its URL, and leave nothing of it behind."""
    home = Path(tempfile.mkdtemp(prefix="tk-engine-"))
    host = f"unix://{home}/docker.sock"
    daemon = start(home, host)
    try:
        wait_until_it_answers(daemon, host, home / "log")
        yield host
    finally:
        stop(daemon, home)


# Small virtual machines have no init system that mounts the control groups.
DAEMON = """
grep -q " - cgroup" /proc/self/mountinfo ||
  cgroupfs-mount 2>/dev/null || mount -t cgroup2 cgroup2 /sys/fs/cgroup
exec dockerd "$@"
"""


def start(home: Path, host: str) -> subprocess.Popen[bytes]:
    command = [
        *("unshare", "--net", "--mount", "--", "sh", "-c", DAEMON, "dockerd"),
        *("--host", host),
        *("--data-root", str(home / "data")),
        *("--exec-root", str(home / "exec")),
        *("--pidfile", str(home / "pid")),
        *([] if iptables_work() else ["--iptables=false", "--ip6tables=false"]),
    ]
    say(f"starting one at {host}")
    with (home / "log").open("wb") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=os.environ | {"TMPDIR": str(home)},
            start_new_session=True,
        )


def iptables_work() -> bool:
    check = ["unshare", "--net", "--", "iptables", "--table", "nat", "--list"]
    return subprocess.run(check, capture_output=True, check=False).returncode == 0


def wait_until_it_answers(daemon: subprocess.Popen[bytes], host: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not answers(host):
        if daemon.poll() is not None or time.monotonic() > deadline:
            tail = log.read_text(errors="replace").splitlines()[-20:]
            raise DidNotStart("\n".join(tail))
        time.sleep(0.1)


def stop(daemon: subprocess.Popen[bytes], home: Path) -> None:
    daemon.terminate()
    try:
        daemon.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(daemon.pid, signal.SIGKILL)
        daemon.wait()
    shutil.rmtree(home, ignore_errors=True)


# --------------------------------------------------------------------------------- the image


def ensure_image(host: str) -> None:
    """Import busybox:latest from this machine's static busybox if the Engine lacks it."""
    if request(host, "GET", f"/images/{NAME}/json") == http.HTTPStatus.OK:
        return
    try:
        archive = root_file_system()
    except LabError as error:
        say(f"it has no image {NAME}, and {error.message}")
        return
    request(host, "POST", f"/images/create?{IMPORT}", archive)
    say(f"made the image {NAME} from this machine's busybox")


if __name__ == "__main__":
    sys.exit(main())
