from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.net.incident.options import Settings, SocketOptions, in_force
from tracekeeper.net.incident.segments import Segment
from tracekeeper.net.incident.tcp import Endpoint

OFF = in_force(SocketOptions())
ON = in_force(SocketOptions(True, idle=13, interval=2, count=3))


def kinds(segments: list[Segment]) -> list[str]:
    return [segment.kind for segment in segments]


def run_out(end: Endpoint) -> list[tuple[float, list[str]]]:
    """What an end does that hears nothing more: seconds, and what it sends."""
    course = []
    while (now := end.deadline) is not None:
        course.append((now / 1000, kinds(end.tick(now))))
    return course


def exchange(left: Endpoint, right: Endpoint, segments: list[Segment], now: int = 1000) -> None:
    """Deliver `segments` from left to right, then the answers, until nobody says anything."""
    mail = deque((right, segment) for segment in segments)
    while mail:
        end, segment = mail.popleft()
        back = left if end is right else right
        mail.extend((back, answer) for answer in end.receive(now, segment))


def pair(settings: Settings = OFF) -> tuple[Endpoint, Endpoint]:
    return Endpoint(0, settings), Endpoint(0, settings)


def test_data_is_acknowledged_and_counted() -> None:
    left, right = pair()
    exchange(left, right, left.write(0, 5) + left.write(0, 7))
    assert right.received == 12
    assert left.deadline is None
    assert left.alive


def test_both_ends_close() -> None:
    left, right = pair()
    exchange(left, right, left.write(0, 5) + left.close(0))
    assert right.peer_finished
    assert [left.alive, right.alive] == [True, True]
    exchange(right, left, right.close(10))
    assert [left.alive, right.alive] == [False, False]
    assert left.deadline is right.deadline is None
    assert left.write(20, 1) == left.close(20) == []
    assert kinds(left.receive(20, Segment("data", 9, 0, size=1))) == ["rst"]


def test_a_dead_peer_of_a_quiet_end_is_told_with_an_rst() -> None:
    end = Endpoint(0, ON)
    probe, reset = ["keepalive"], ["rst"]
    assert run_out(end) == [(13, probe), (15, probe), (17, probe), (19, reset)]
    assert end.failure == "ETIMEDOUT"  # measured: 19.22 s, RST sent
    assert not end.alive


def test_keepalive_does_not_fire_while_data_is_in_flight() -> None:
    end = Endpoint(0, ON)
    end.write(1000, 5)
    course = run_out(end)
    assert {kind for _, sent in course for kind in sent} == {"retransmission"}
    assert course[-1] == (course[-1][0], [])  # given up without an RST
    assert course[-1][0] > 900
    assert end.failure == "ETIMEDOUT"


def test_a_probe_is_answered_and_tells_its_receiver_nothing() -> None:
    left, right = pair(ON)
    [probe] = left.tick(13_000)
    assert probe == Segment("keepalive", -1, 0)
    [answer] = right.receive(13_002, probe)
    assert answer.kind == "keepalive_ack"
    assert right.deadline == 13_000  # its own silence goes on
    assert left.receive(13_004, answer) == []
    assert left.deadline == 26_004


def test_what_was_lost_follows_once_the_way_is_open_again() -> None:
    left, right = pair()
    left.write(0, 5)
    left.write(0, 7)
    left.close(0)
    now = left.deadline or 0
    [first] = left.tick(now)
    assert first == Segment("retransmission", 0, 0, size=5)
    [ack] = right.receive(now, first)
    rest = left.receive(now, ack)
    assert rest == [
        Segment("retransmission", 5, 0, size=7),
        Segment("retransmission", 12, 0, fin=True),
    ]
    exchange(left, right, rest)
    assert (right.received, right.peer_finished) == (12, True)
    assert left.deadline is None


def test_what_is_out_of_order_or_old_is_acknowledged_and_dropped() -> None:
    left, right = pair()
    [first], [second] = left.write(0, 5), left.write(0, 7)
    assert right.receive(1, second) == [Segment("ack", 0, 0)]
    assert right.receive(2, first) == [Segment("ack", 0, 5)]
    assert right.receive(3, first) == [Segment("ack", 0, 5)]
    assert right.received == 5
    assert left.receive(4, Segment("ack", 0, 0)) == []
    assert left.receive(4, Segment("ack", 0, 5)) == []  # the second is still on its way
    assert left.deadline == 4 + 204


def test_an_rst_ends_it_at_once() -> None:
    end = Endpoint(0, ON)
    end.write(0, 5)
    assert end.receive(1, Segment("rst", 0, 0)) == []
    assert (end.failure, end.alive, end.deadline) == ("ECONNRESET", False, None)


@given(st.lists(st.integers(1, 50), max_size=6), st.lists(st.booleans(), max_size=40))
def test_whatever_is_lost_on_the_way_everything_arrives_once(
    writes: list[int], losses: list[bool]
) -> None:
    left, right = pair()
    fates = iter(losses)
    mail: deque[tuple[Endpoint, Segment]] = deque()
    now = 0

    def post(to: Endpoint, segments: list[Segment]) -> None:
        mail.extend((to, segment) for segment in segments if not next(fates, False))

    for size in writes:
        post(right, left.write(0, size))
    post(right, left.close(0))
    while mail or left.deadline is not None:
        if not mail:
            now = left.deadline or 0
            post(right, left.tick(now))
            continue
        end, segment = mail.popleft()
        post(left if end is right else right, end.receive(now, segment))
    if not left.failure:  # so much may be lost that it gives up
        assert (right.received, right.peer_finished) == (sum(writes), True)
