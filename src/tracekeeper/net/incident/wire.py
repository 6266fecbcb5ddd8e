"""Two TCP endpoints, and the firewall between them if there is a network. Pure."""

from heapq import heappop, heappush

from tracekeeper.net.incident.firewall import Flow
from tracekeeper.net.incident.options import Settings
from tracekeeper.net.incident.segments import Segment, Side, other
from tracekeeper.net.incident.tcp import Endpoint
from tracekeeper.net.incident.timeline import Event, Fate

LATENCY = 2
"""Milliseconds from one side to the other."""

_FATES: dict[str, Fate] = {"drop": "dropped", "reject": "rejected"}


class Wire:
    """A connection that the client has just opened. `flow` None: no firewall is on the way.

    Whoever calls moves the time: `step` at `deadline`, and calls of the programs in between.
    """

    def __init__(
        self, now: int, client: Settings, engine: Settings, flow: Flow | None, events: list[Event]
    ) -> None:
        self.client = Endpoint(now, client)
        self.engine = Endpoint(now, engine)
        self._flow = flow
        self._events = events
        self._under_way: list[tuple[int, int, Side, Segment]] = []
        self._sent = 0
        events.append(Event(now, "syn", "client"))

    @property
    def busy(self) -> bool:
        """Whether something will happen by itself, apart from being forgotten."""
        ends = (self.client.deadline, self.engine.deadline)
        return bool(self._under_way) or any(deadline is not None for deadline in ends)

    @property
    def deadline(self) -> int | None:
        """When `step` is due."""
        deadlines = [
            self.client.deadline,
            self.engine.deadline,
            self._flow.deadline if self._flow else None,
            self._under_way[0][0] if self._under_way else None,
        ]
        return min((at for at in deadlines if at is not None), default=None)

    def step(self, now: int) -> None:
        """Do one thing of what is due."""
        if self._under_way and self._under_way[0][0] <= now:
            _, _, side, segment = heappop(self._under_way)
            self.send(now, side, self._end(side).receive(now, segment))
        elif self._flow and self._flow.deadline == now:
            self._flow.tick()
            self._events.append(Event(now, "forgotten", "firewall"))
        else:
            side = "client" if self.client.deadline == now else "engine"
            self._tick(now, side)

    def _tick(self, now: int, side: Side) -> None:
        end = self._end(side)
        segments = end.tick(now)
        if end.failure:
            self._events.append(Event(now, "timed_out", side))
        self.send(now, side, segments)

    def send(self, now: int, origin: Side, segments: list[Segment]) -> None:
        """Put segments from `origin` on the wire."""
        for segment in segments:
            decision = self._flow.decide(now, origin, segment) if self._flow else "pass"
            fate = _FATES.get(decision, "")
            self._events.append(Event(now, segment.kind, origin, segment.size, fate))
            if decision == "pass":
                self._deliver(now, other(origin), segment)
            elif decision == "reject":
                self._events.append(Event(now, "rst", "firewall"))
                self._deliver(now, origin, Segment("rst", segment.ack, segment.end))

    def _deliver(self, now: int, side: Side, segment: Segment) -> None:
        self._sent += 1
        heappush(self._under_way, (now + LATENCY, self._sent, side, segment))

    def _end(self, side: Side) -> Endpoint:
        return self.client if side == "client" else self.engine
