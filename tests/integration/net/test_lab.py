"""The lab is what it says: a firewall that forgets, a real engine behind it, and nothing left."""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tracekeeper.net.lab import Lab, LabError, Variant
from tracekeeper.net.lab.network import CLIENT_ADDRESS, HOST_ADDRESS

pytestmark = pytest.mark.root

ASK = b"GET / HTTP/1.0\r\n\r\n"
REFUSAL = b"HTTP/1.0 400 Bad Request"  # of an engine that expects TLS
PATIENCE_MS = 500
SECONDS = 30.0
PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER = 36, 37
ACKNOWLEDGED_WITHIN = 0.3  # a delayed acknowledgment takes 40 ms, at most 200 (TCP_DELACK_MAX)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_forgotten(lab: Lab) -> bool:
    """Forget everything; an acknowledgment that is late would make it known again."""
    lab.forget()
    time.sleep(ACKNOWLEDGED_WITHIN)
    return not lab.connections()


@pytest.fixture
def connected(lab: Lab) -> Iterator[socket.socket]:
    """A connection from the client to the engine on which nothing has been said."""
    with lab.inside():
        connection = socket.create_connection((HOST_ADDRESS, 2376))
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, PATIENCE_MS)
        yield connection


def said(connection: socket.socket) -> bytes:
    with connection:
        connection.sendall(ASK)
        return connection.recv(len(REFUSAL))


# ----------------------------------------------------------------------------- the firewall


@pytest.mark.parametrize("variant", ["drop", "reject", "reopen", "none"])
def test_what_is_tracked_passes(variant: Variant, lab: Lab, connected: socket.socket) -> None:
    lab.set_variant(10, variant)
    assert said(connected) == REFUSAL


def test_what_is_forgotten_is_dropped(lab: Lab, connected: socket.socket) -> None:
    lab.forget()
    with pytest.raises(TimeoutError):
        said(connected)


def test_what_is_forgotten_is_rejected(lab: Lab, connected: socket.socket) -> None:
    lab.set_variant(10, "reject")
    lab.forget()
    with pytest.raises(ConnectionResetError):
        said(connected)


@pytest.mark.parametrize("variant", ["reopen", "none"])
def test_the_client_reopens(variant: Variant, lab: Lab, connected: socket.socket) -> None:
    lab.set_variant(10, variant)
    lab.forget()
    assert said(connected) == REFUSAL
    assert lab.connections()


@pytest.mark.parametrize(("variant", "arrives"), [("reopen", False), ("none", True)])
def test_the_host_does_not_reopen(variant: Variant, arrives: bool, lab: Lab) -> None:
    """The host speaks first: a container's line, after the firewall has forgotten the stream."""
    lab.set_variant(10, variant)
    script = "echo begun; until [ -e /go ]; do sleep 0.1; done; echo late"
    run = ["docker", "run", "--rm", "--name", "speaker", "busybox", "sh", "-c", script]
    with lab.client(run, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "begun\n"
        until(lambda: is_forgotten(lab))
        exec_ = ["docker", "--host", lab.socket, "exec", "speaker", "touch", "/go"]
        subprocess.run(exec_, check=True)
        if not arrives:
            until(lambda: not lab.ask("GET", "/containers/json"))
            assert client.poll() is None
            client.kill()
        rest = client.stdout.read()
    assert rest == ("late\n" if arrives else "")
    until(lambda: not lab.ask("GET", "/containers/json?all=1"))


def test_a_quiet_connection_is_forgotten(lab: Lab) -> None:
    lab.set_variant(2, "drop")
    with lab.inside():
        connected = socket.create_connection((HOST_ADDRESS, 2376))
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, PATIENCE_MS)
    port = f"sport={connected.getsockname()[1]} "
    assert any(port in line for line in lab.connections())
    until(lambda: not any(port in line for line in lab.connections()))
    with pytest.raises(TimeoutError):
        said(connected)


def test_a_cut_hides_and_a_mend_heals(lab: Lab, connected: socket.socket) -> None:
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 60_000)
    connected.settimeout(0.3)
    lab.cut()
    connected.sendall(ASK)
    with pytest.raises(TimeoutError):
        connected.recv(1)
    lab.mend()
    connected.settimeout(SECONDS)
    assert connected.recv(len(REFUSAL)) == REFUSAL


def test_a_mistyped_variant_is_named(lab: Lab) -> None:
    with pytest.raises(LabError, match="'dorp' is no variant: take one of drop, reject"):
        lab.set_variant(10, "dorp")  # type: ignore[arg-type]
    with pytest.raises(LabError, match="after 0 s lets nothing through"):
        lab.set_variant(0, "drop")


# ------------------------------------------------------------------------------- the client


def test_one_thread_is_inside(lab: Lab) -> None:
    with lab.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((HOST_ADDRESS, 9))
        assert probe.getsockname()[0] == CLIENT_ADDRESS
    outside = pytest.raises(OSError, match="Cannot assign requested address")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, outside:
        probe.bind((CLIENT_ADDRESS, 0))


def test_a_client_is_a_child_of_ours_in_another_network(lab: Lab, tmp_path: Path) -> None:
    lab.set_sysctl("net.ipv4.tcp_keepalive_time", 77)
    script = "pwd; cat /proc/sys/net/ipv4/tcp_keepalive_time; echo $DOCKER_HOST; exec sleep 1000"
    client = lab.client(["sh", "-c", script], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    with client:
        assert client.stdout is not None
        seen = [client.stdout.readline().strip() for _ in range(3)]
        assert seen == [str(tmp_path), "77", lab.url]
        until(lambda: Path(f"/proc/{client.pid}/cmdline").read_bytes() == b"sleep\x001000\0")
        client.kill()
    assert client.returncode == -signal.SIGKILL


# ------------------------------------------------------------------------------- the engine


def docker(lab: Lab, *words: str) -> str:
    with lab.client(["docker", *words], stdout=subprocess.PIPE, text=True) as client:
        out, _ = client.communicate()
        assert client.returncode == 0
        return str(out).strip()


def test_services_have_names(lab: Lab) -> None:
    docker(lab, "network", "create", "services")
    serve = ("run", "--rm", "-d", "--network", "services", "--network-alias", "echo", "busybox")
    docker(lab, *serve, "nc", "-l", "-p", "7", "-e", "echo", "heard")
    ask = "until nc echo 7; do sleep 0.1; done"
    assert (
        docker(lab, "run", "--rm", "--network", "services", "busybox", "sh", "-c", ask) == "heard"
    )
    until(lambda: not lab.ask("GET", "/containers/json?all=1"))
    docker(lab, "network", "rm", "services")


@pytest.mark.parametrize("live_restore", [True, False])
@pytest.mark.parametrize("kill", [True, False])
def test_live_restore_decides_what_outlives_the_engine(
    kill: bool, live_restore: bool, lab: Lab
) -> None:
    lab.restart_engine(live_restore=live_restore)
    container = docker(lab, "run", "-d", "--stop-timeout", "0", "busybox", "sleep", "1000")
    before = lab.engine_pid
    lab.restart_engine(kill=kill)
    assert lab.engine_pid != before
    running = lab.ask("GET", f"/containers/{container}/json")["State"]["Running"]
    lab.ask("DELETE", f"/containers/{container}?force=1")
    assert running is live_restore


def test_a_paused_engine_says_nothing(lab: Lab, connected: socket.socket) -> None:
    lab.pause_engine()
    connected.settimeout(0.3)
    connected.sendall(ASK)
    with pytest.raises(TimeoutError):
        connected.recv(1)
    lab.resume_engine()
    connected.settimeout(SECONDS)
    assert connected.recv(1) == REFUSAL[:1]


def test_what_an_engine_writes_of_its_own_accord_goes_with_the_lab(lab: Lab) -> None:
    """A paused dockerd that goes on may ask containerd for its stacks."""
    lab.ask("GET", "/_ping")
    children = Path(f"/proc/{lab.engine_pid}/task").glob("*/children")
    [containerd] = [int(pid) for child in children for pid in child.read_text().split()]
    os.kill(containerd, signal.SIGUSR1)
    until(lambda: list(lab.certificates.parent.glob("containerd.*.stacks.log")))


def test_a_stopped_engine_is_named(lab: Lab) -> None:
    lab.stop_engine()
    with pytest.raises(LabError, match="does not run"):
        lab.pause_engine()
    lab.start_engine()
    with pytest.raises(LabError, match="runs already"):
        lab.start_engine()


@pytest.mark.parametrize("keepalive", [True, False])
def test_an_engine_of_plain_tcp(keepalive: bool) -> None:
    """Its own keepalive shows as a timer of its end of the connection (ss)."""
    with Lab(tls=False, engine_keepalive=keepalive) as plain:
        assert docker(plain, "version", "--format", "{{.Server.Os}}") == "linux"
        with plain.inside():
            connection = socket.create_connection((HOST_ADDRESS, 2375))
        with connection:
            connection.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(12) == b"HTTP/1.1 200"
            sockets = ["ss", "-tno", "state", "established"]
            listed = subprocess.run(
                ["nsenter", f"--net=/proc/{plain.engine_pid}/ns/net", *sockets],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        assert ("timer:(keepalive" in listed) is keepalive


# --------------------------------------------------------------------------- nothing is left

OWNER = """
import json, time
from tracekeeper.net.lab import Lab
with Lab() as lab:
    lab.client(["sh", "-c", "sleep 4321 & sleep 4321"])
    config = {"Image": "busybox", "Cmd": ["sleep", "4321"]}
    lab.ask("POST", "/containers/create?name=sleeper", config)
    lab.ask("POST", "/containers/sleeper/start")
    print(json.dumps([str(lab.certificates.parent), lab.engine_pid]), flush=True)
    time.sleep(1000)
"""


@pytest.fixture
def no_subreaper() -> Iterator[None]:
    """Orphans go to process 1, which waits for them, also where an earlier test in this process
    has made it a subreaper: a PID namespace ends when its last process has been waited for."""
    libc, was = ctypes.CDLL(None), ctypes.c_int()
    libc.prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(was))
    libc.prctl(PR_SET_CHILD_SUBREAPER, 0)
    yield
    libc.prctl(PR_SET_CHILD_SUBREAPER, was.value)


@pytest.mark.usefixtures("no_subreaper")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_lab_ends_with_its_owner(how: signal.Signals, lab: Lab) -> None:
    """Side by side with another lab, which does not notice."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as owner:
        assert owner.stdout is not None
        home, engine = json.loads(owner.stdout.readline())
        members = [pid for pid in _processes() if _namespace(pid) == _namespace(engine)]
        assert len(members) > 5
        owner.send_signal(how)
    until(lambda: not any(_lives(pid) for pid in members))
    until(lambda: not Path(home).exists())
    assert not list(Path("/sys/fs/cgroup").glob(f"**/{Path(home).name}"))
    assert docker(lab, "run", "--rm", "busybox", "echo", "here") == "here"


def test_a_lab_that_fails_leaves_nothing(lab: Lab) -> None:
    home = lab.certificates.parent
    homes = set(home.parent.glob("tk-lab-*"))
    with pytest.raises(LabError, match="is no variant"):
        Lab(variant="dorp").__enter__()  # type: ignore[arg-type]
    assert set(home.parent.glob("tk-lab-*")) == homes


def _processes() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def _namespace(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return ""


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
