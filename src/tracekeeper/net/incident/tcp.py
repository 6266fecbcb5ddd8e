"""One end of a TCP connection that stands: what it sends, and how it ends. Pure."""

from typing import Literal, TypeAlias

from tracekeeper.net.incident.keepalive import KeepaliveTimer
from tracekeeper.net.incident.options import Settings
from tracekeeper.net.incident.retransmission import RetransmissionTimer
from tracekeeper.net.incident.segments import Kind, Segment

Failure: TypeAlias = Literal["", "ETIMEDOUT", "ECONNRESET"]


class Endpoint:
    """Calls and segments in, segments out. When `deadline` comes, call `tick`.

    `received` counts the bytes that came in order; what comes out of order is sent again.
    `failure` is what the next read or write of the program says. Windows and congestion are left
    out: a few lines of a log fill neither.
    """

    __slots__ = (
        "_closed",
        "_finished",
        "_flight",
        "_keepalive",
        "_next",
        "_retransmission",
        "_wanted",
        "failure",
        "peer_finished",
        "received",
    )

    def __init__(self, now: int, settings: Settings) -> None:
        self._keepalive = KeepaliveTimer(now, settings)
        self._retransmission = RetransmissionTimer(settings)
        self._flight: list[Segment] = []
        self._next = 0
        self._wanted = 0
        self._finished = False
        self._closed = False
        self.received = 0
        self.peer_finished = False
        self.failure: Failure = ""

    @property
    def alive(self) -> bool:
        """Whether there is still a connection at this end."""
        return not self._closed and not (self._finished and self.peer_finished and self._is_acked)

    @property
    def deadline(self) -> int | None:
        """When `tick` is due; None if only the peer can change anything."""
        if not self.alive:
            return None
        return self._keepalive.deadline if self._is_acked else self._retransmission.deadline

    @property
    def _is_acked(self) -> bool:
        return not self._flight

    def write(self, now: int, size: int) -> list[Segment]:
        """The program writes `size` bytes; nothing is sent over a connection that is gone."""
        return self._send(now, "data", size=size)

    def close(self, now: int) -> list[Segment]:
        """The program closes: the peer learns that nothing more will come."""
        if self._finished:
            return []
        sent = self._send(now, "fin", fin=True)
        self._finished = self._retransmission.orphaned = True
        return sent

    def receive(self, now: int, segment: Segment) -> list[Segment]:
        """A segment arrives; the answer to it."""
        if segment.kind == "rst":
            self._fail("ECONNRESET")
            return []
        if not self.alive:
            return [Segment("rst", segment.ack, 0)]
        if segment.kind == "keepalive":  # an old sequence number: answered, and otherwise ignored
            return [self._segment("keepalive_ack")]
        self._keepalive.heard(now)
        return self._acknowledged(now, segment.ack) + self._take(segment)

    def tick(self, now: int) -> list[Segment]:
        """The deadline has come."""
        if self._flight:
            return self._send_again(now)
        if self._keepalive.expire(now) == "probe":
            return [Segment("keepalive", self._next - 1, self._wanted)]
        self._fail("ETIMEDOUT")
        return [self._segment("rst")]

    def _send(self, now: int, kind: Kind, size: int = 0, *, fin: bool = False) -> list[Segment]:
        if self._closed or self._finished:
            return []
        segment = Segment(kind, self._next, self._wanted, size, fin)
        if not self._flight:
            self._retransmission.start(now)
        self._flight.append(segment)
        self._next = segment.end
        return [segment]

    def _send_again(self, now: int) -> list[Segment]:
        if self._retransmission.expire(now):
            return [self._again()]
        self._fail("ETIMEDOUT")
        return []

    def _acknowledged(self, now: int, ack: int) -> list[Segment]:
        """Take an acknowledgement; what was lost with its segments follows at once."""
        left = [segment for segment in self._flight if segment.end > ack]
        if len(left) == len(self._flight):
            return []
        had_lost = self._retransmission.backed_off
        self._flight = left
        if not left:
            self._retransmission.stop()
            return []
        self._retransmission.start(now)
        return [self._again(index) for index in range(len(left))] if had_lost else []

    def _take(self, segment: Segment) -> list[Segment]:
        if not segment.length:
            return []
        if segment.seq == self._wanted:
            self._wanted = segment.end
            self.received += segment.size
            self.peer_finished |= segment.fin
        return [self._segment("ack")]

    def _again(self, index: int = 0) -> Segment:
        lost = self._flight[index]
        return Segment("retransmission", lost.seq, self._wanted, lost.size, lost.fin)

    def _segment(self, kind: Kind) -> Segment:
        return Segment(kind, self._next, self._wanted)

    def _fail(self, failure: Failure) -> None:
        self.failure = failure
        self._closed = True
        self._flight = []
