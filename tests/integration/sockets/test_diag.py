"""What the kernel tells of connections, beside `ss`, which asks it the same."""

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tracekeeper.net.lab import Lab
from tracekeeper.sockets import diag, options
from tracekeeper.sockets.options import Keepalive

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture(params=["127.0.0.1", "::1"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server((request.param, 0), family=family))
        ours = stack.enter_context(socket.create_connection(listener.getsockname()[:2]))
        yield ours, stack.enter_context(listener.accept()[0])


def ends(sock: socket.socket) -> tuple[diag.Address, diag.Address]:
    return sock.getsockname()[:2], sock.getpeername()[:2]


def test_no_timer_and_a_keepalive(pair: Pair) -> None:
    ours, theirs = pair
    assert diag.timer(*ends(ours)) == diag.Timer("none", 0.0)
    options.apply(ours, Keepalive(idle=100))
    found = diag.timer(*ends(ours))
    assert found is not None
    assert found.kind == "keepalive"
    assert 90 < found.remaining <= 100
    assert diag.timer_anywhere(*ends(theirs)) == diag.Timer("none", 0.0)


def test_as_ss_has_it(pair: Pair) -> None:
    if not shutil.which("ss"):
        pytest.skip("ss is not installed")
    ours, _ = pair
    options.apply(ours, Keepalive(idle=1000))
    port = ours.getsockname()[1]
    command = ["ss", "-Htno", "sport", "=", f":{port}"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    minutes = re.search(r"timer:\(keepalive,(\d+)min", shown)
    found = diag.timer(*ends(ours))
    assert minutes
    assert found
    assert abs(found.remaining / 60 - int(minutes[1])) <= 1


def test_a_socket_that_is_not_there(pair: Pair) -> None:
    """Who listens there is not taken for it."""
    ours, _ = pair
    local, remote = ends(ours)
    assert diag.timer((local[0], 1), remote) is None
    assert diag.timer(remote, (local[0], 1)) is None


@pytest.mark.root
def test_another_network(lab: Lab) -> None:
    with lab.inside(), socket.create_connection(("10.77.2.2", 2376)) as ours:
        local, remote = ends(ours)
        assert diag.timer(local, remote) == diag.Timer("none", 0.0)
        assert diag.timer(remote, local) is None
        found = diag.timer_anywhere(remote, local)
        assert found is not None
        assert found.kind in ("keepalive", "none")  # the daemon may not have accepted it yet
    assert diag.timer_anywhere(remote, ("192.0.2.1", 1)) is None
