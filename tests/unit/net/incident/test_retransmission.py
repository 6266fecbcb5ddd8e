"""Measured with Linux 6.18 beside each number; its timer wheel is up to 2.4 % late."""

import pytest

from tracekeeper.net.incident.options import SocketOptions, Sysctls, in_force
from tracekeeper.net.incident.retransmission import RTO, RetransmissionTimer, patience


def timer(retries: int = 15, user_timeout: int = 0) -> RetransmissionTimer:
    settings = in_force(SocketOptions(user_timeout=user_timeout), Sysctls(retries2=retries))
    started = RetransmissionTimer(settings)
    started.start(0)
    return started


def course(retransmission: RetransmissionTimer) -> list[float]:
    """Seconds at which lost data is sent again, and last those at which it is given up."""
    times = []
    while (now := retransmission.deadline) is not None:
        times.append(now / 1000)
        if not retransmission.expire(now):
            break
    return times


def test_lost_data_is_sent_again_ever_more_rarely() -> None:
    measured = [0.2, 0.4, 0.85, 1.7, 3.3, 6.7, 13, 27]
    assert course(timer())[:8] == pytest.approx(measured, rel=0.05)


def test_by_default_it_is_given_up_after_a_quarter_of_an_hour() -> None:
    times = course(timer())
    assert len(times) == 1 + 15 + 1  # measured: one tail loss probe, 15 after an RTO, the end
    assert times[-1] == pytest.approx(939.6, rel=0.024)


def test_the_kernels_documentation_says_as_much() -> None:
    assert patience(15) == 924_600  # tcp(7), tcp_retries2
    assert patience(8) == 102_200
    assert patience(0) == 200


def test_user_timeout_counts_from_the_first_retransmission() -> None:
    assert course(timer(user_timeout=8))[-1] == pytest.approx(8.43, rel=0.024)


def test_a_closed_socket_is_given_up_sooner() -> None:
    orphan = timer()
    orphan.orphaned = True
    assert 102 < course(orphan)[-1] < 210


def test_an_acknowledgement_begins_anew() -> None:
    retransmission = timer()
    for _ in range(5):
        assert retransmission.expire(retransmission.deadline or 0)
    backed_off = [retransmission.backed_off]
    retransmission.start(100_000)
    backed_off.append(retransmission.backed_off)
    assert backed_off == [True, False]
    assert retransmission.deadline == 100_000 + RTO
    retransmission.stop()
    assert retransmission.deadline is None
