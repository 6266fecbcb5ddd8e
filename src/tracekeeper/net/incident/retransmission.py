"""Sending again what is not acknowledged, and giving up (RFC 6298, RFC 8985 §7, tcp_timer.c)."""

from tracekeeper.net.incident.options import Settings

RTO_MIN, RTO_MAX = 200, 120_000
RTO = 204
"""What Linux arrives at on a path of a few milliseconds: their mean, and RTO_MIN for variance."""
ORPHAN_RETRIES = 8
"""tcp_orphan_retries: the patience with data of a socket that its program has closed."""


class RetransmissionTimer:
    """When to send the oldest unacknowledged segment again, and when to give up.

    First comes a tail loss probe, then a retransmission after each RTO, which doubles every time.
    """

    __slots__ = ("_first", "_probed", "_rto", "_settings", "deadline", "orphaned")

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.orphaned = False
        """Whether the program has closed the socket."""
        self.stop()

    def stop(self) -> None:
        """Everything is acknowledged."""
        self.deadline: int | None = None
        """When `expire` is due; None if nothing is in flight."""
        self._probed = False
        self._first: int | None = None
        self._rto = RTO

    def start(self, now: int) -> None:
        """Something was sent while nothing was in flight, or what is in flight has moved on."""
        self.stop()
        self.deadline = now + RTO

    @property
    def backed_off(self) -> bool:
        """Whether something had to be sent again."""
        return self._probed

    def expire(self, now: int) -> bool:
        """The deadline has come: whether to send again; if not, the connection is given up."""
        if not self._probed:
            self._probed = True
            self.deadline = now + RTO
            return True
        if self._first is None:
            self._first = now
        elif now - self._first >= self._patience():
            return False
        self._rto = min(2 * self._rto, RTO_MAX)
        self.deadline = now + self._rto
        if limit := self._settings.user_timeout:
            self.deadline = min(self.deadline, self._first + limit)
        return True

    def _patience(self) -> int:
        retries = ORPHAN_RETRIES if self.orphaned else self._settings.retries2
        return self._settings.user_timeout or patience(retries)


def patience(retries: int) -> int:
    """How long after the first retransmission a connection is given up, in milliseconds.

    The count of retries is no count of packets: it names the time that so many retransmissions
    would take if they began with RTO_MIN (tcp_model_timeout; tcp(7), tcp_retries2: 924.6 s).
    """
    doublings = min(retries, (RTO_MAX // RTO_MIN).bit_length() - 1)
    return ((2 << doublings) - 1) * RTO_MIN + (retries - doublings) * RTO_MAX
