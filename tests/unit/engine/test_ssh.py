import pytest

from tracekeeper.engine.host import Host
from tracekeeper.engine.ssh import ENGINE_SOCKET, alive, engine_socket
from tracekeeper.errors import UsageError
from tracekeeper.sockets.options import DEFAULT, Keepalive


@pytest.mark.parametrize(
    ("keepalive", "interval_and_count"),
    [
        (DEFAULT, (15, 1)),
        (Keepalive(idle=3, interval=1, count=9), (3, 3)),
        (Keepalive(idle=60, interval=1, count=1), (60, 1)),
        (None, (0, 3)),
    ],
)
def test_how_often_ssh_asks(
    keepalive: Keepalive | None, interval_and_count: tuple[int, int]
) -> None:
    assert alive(keepalive) == interval_and_count


def test_a_dead_host_is_known_in_time() -> None:
    interval, count = alive(DEFAULT)
    assert interval * (count + 1) <= 45


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("ssh://box", ENGINE_SOCKET),
        ("ssh://box/", ENGINE_SOCKET),
        ("ssh://me@box.example.com:2222", ENGINE_SOCKET),
        ("ssh://me@[2001:db8::1]:22/run/user/1000/docker.sock", "/run/user/1000/docker.sock"),
        ("ssh://my-user@my_box", ENGINE_SOCKET),
    ],
)
def test_the_socket_on_the_other_side(url: str, path: str) -> None:
    assert engine_socket(Host(url)) == path


@pytest.mark.parametrize(
    "url",
    [
        "ssh://-oProxyCommand=evil/x",
        "ssh://-e@box",
        "ssh://box;reboot",
        "ssh://$(reboot)@box",
        "ssh://box/a:b",
        "ssh://box/%h",
        "ssh://box/${HOME}",
        "ssh://box/a b",
    ],
)
def test_what_ssh_could_take_for_something_else(url: str) -> None:
    with pytest.raises(UsageError, match="not passed to ssh"):
        engine_socket(Host(url))
