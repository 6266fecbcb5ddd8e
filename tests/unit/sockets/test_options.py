import socket
import sys
from collections.abc import Iterator

import pytest

from tracekeeper.sockets import options
from tracekeeper.sockets.options import DEFAULT, Keepalive


@pytest.fixture
def connected() -> Iterator[socket.socket]:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        yield client


def test_a_new_socket_has_no_keepalive(connected: socket.socket) -> None:
    assert options.read_back(connected) is None


@pytest.mark.skipif(sys.platform != "linux", reason="other systems lack some of the options")
@pytest.mark.parametrize("keepalive", [DEFAULT, Keepalive(3, 1, 2, 9)])
def test_the_kernel_has_what_was_set(connected: socket.socket, keepalive: Keepalive) -> None:
    options.apply(connected, keepalive)
    assert options.read_back(connected) == keepalive
    assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_the_defaults_notice_a_dead_peer_within_45_seconds() -> None:
    assert Keepalive(15, 5, 3, 30) == DEFAULT
    assert DEFAULT.idle + DEFAULT.interval * DEFAULT.count <= 45


def test_what_a_system_does_not_have_is_left_alone(
    connected: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "_USER_TIMEOUT", None)
    options.apply(connected)
    found = options.read_back(connected)
    assert found is not None
    assert (found.idle, found.user_timeout) == (15, 0)


def test_a_socket_that_is_not_tcp_is_refused() -> None:
    with socket.socket(socket.AF_UNIX) as sock, pytest.raises(OSError, match="supported"):
        options.apply(sock)
