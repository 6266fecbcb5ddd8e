import msgspec

from tracekeeper.cli.connections import health
from tracekeeper.events import ConnectionBroke, ConnectionClosed

BROKE = ConnectionBroke(
    peer="tcp://far:2376", silent=3.0, cause="reset", seconds=0.5, recovered=True
)
CLOSED = ConnectionClosed(
    peer="tcp://far:2376",
    keepalive="after 15 s, every 5 s, 3 times; user timeout 30 s",
    breaks=0,
    renewals=0,
    questions=0,
    longest_silence=601.2,
)


def test_no_engine_nothing_to_say() -> None:
    assert health([]) == []


def test_a_connection_that_never_broke() -> None:
    (line,) = health([CLOSED, msgspec.structs.replace(CLOSED, longest_silence=3.0)])
    assert line == (
        "Connection to tcp://far:2376: never broke; longest silence 10 min 01 s; keepalive after"
        " 15 s, every 5 s, 3 times; user timeout 30 s"
    )


def test_each_engine_has_a_line() -> None:
    local = msgspec.structs.replace(CLOSED, peer="unix:///s", keepalive="none", longest_silence=2.0)
    off = msgspec.structs.replace(CLOSED, keepalive="off", renewals=2)
    near, far = health([local, BROKE, off])
    assert near == "Connection to unix:///s: never broke; longest silence 2.0 s"
    assert far == (
        "Connection to tcp://far:2376: broke once, came back each time, 0.5 s without it in all;"
        " longest silence 10 min 01 s; replaced by plan 2 times; keepalive off"
    )


def test_an_engine_that_did_not_come_back() -> None:
    lost = msgspec.structs.replace(BROKE, recovered=False)
    (line,) = health([BROKE, lost])
    assert line == "Connection to tcp://far:2376: broke 2 times, and once did not come back"
