"""How an engine is spoken to for a shell."""

import pytest

from tracekeeper.engine.host import Host
from tracekeeper.local.debug import Streams, _patient
from tracekeeper.sockets.options import Keepalive


def show(_stream: int, _data: bytes) -> None: ...


@pytest.mark.parametrize(
    ("keepalive", "terminal", "expected"),
    [
        (Keepalive(7, 2, 3, 30), None, Keepalive(7, 2, 3, 0)),
        (Keepalive(7, 2, 3, 30), 0, Keepalive(7, 2, 3, 30)),
        (None, None, None),
    ],
)
def test_a_command_that_reads_late_is_waited_for(
    keepalive: Keepalive | None, terminal: int | None, expected: Keepalive | None
) -> None:
    host = Host("tcp://a", keepalive=keepalive)
    assert _patient(host, Streams(0, show, terminal)).keepalive == expected
