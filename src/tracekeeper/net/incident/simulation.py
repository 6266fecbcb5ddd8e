"""One job, one client, one engine and what lies between, on virtual time. Pure."""

from typing import Literal, TypeAlias

import msgspec

from tracekeeper.net.incident import job
from tracekeeper.net.incident.clients import Client, Executor
from tracekeeper.net.incident.firewall import Flow, Variant
from tracekeeper.net.incident.options import SocketOptions, in_force
from tracekeeper.net.incident.timeline import Event
from tracekeeper.net.incident.wire import Wire

Ending: TypeAlias = Literal["end", "ETIMEDOUT", "ECONNRESET", "open"]


class Scenario(msgspec.Struct, frozen=True):
    """All that may matter on the way to the client. `sleep` and `idle` are in milliseconds.

    `daemon` is what the engine sets on the connections that it accepts. In the incident it cannot
    have been a keepalive of less than the idle limit: none was seen in 12 minutes. An engine that
    was built by Go 1.13 or newer has one of 15 s.
    """

    executor: Executor
    client: Client
    variant: Variant
    sleep: int
    idle: int
    daemon: SocketOptions = SocketOptions()


class Outcome(msgspec.Struct, frozen=True):
    """What the client has, and what it was told.

    `ending` is how the stream ended for it (*open*: it still waits), `at` when, in milliseconds
    after the job's start; `breaks` counts the connections that broke and were replaced.
    """

    received: bytes
    log: bytes
    ending: Ending
    at: int | None
    breaks: int
    events: tuple[Event, ...]


class Simulation:
    """Runs a scenario. The clock jumps from each event to the next."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._events: list[Event] = []
        self._output = job.output(scenario.sleep)
        self._log = b""
        self._position = 0  # where in the log the present connection began
        self._breaks = 0
        self._ending: Ending = "open"
        self._at: int | None = None
        self._wire = self._dial(0)

    def run(self, until: int | None = None) -> Outcome:
        """Go on till nothing more can happen, or till `until`."""
        while (now := self._next()) is not None and (until is None or now <= until):
            if self._output and self._output[0].at == now:
                self._write(now)
            else:
                self._wire.step(now)
            self._look(now)
        received = self._log[: self._received]
        events = tuple(self._told())
        return Outcome(received, self._log, self._ending, self._at, self._breaks, events)

    def _told(self) -> list[Event]:
        """What there is to tell of: a UNIX socket has no packets, only what is written."""
        if self._scenario.executor == "unix":
            return [event for event in self._events if event.kind == "data"]
        return self._events

    @property
    def _received(self) -> int:
        return self._position + self._wire.client.received

    def _next(self) -> int | None:
        if not self._output:
            return self._wire.deadline if self._wire.busy else None
        due, deadline = self._output[0].at, self._wire.deadline
        return due if deadline is None else min(due, deadline)

    def _dial(self, now: int) -> Wire:
        scenario, client = self._scenario, self._scenario.client
        ours = in_force(client.options_for(scenario.executor), client.sysctls)
        if scenario.executor == "unix":
            return Wire(now, ours, in_force(SocketOptions()), None, self._events)
        flow = Flow(now, scenario.idle, scenario.variant)
        return Wire(now, ours, in_force(scenario.daemon), flow, self._events)

    def _write(self, now: int) -> None:
        """The job writes, and after its last line it exits."""
        data = self._output.pop(0).data
        self._log += data
        self._wire.send(now, "engine", self._wire.engine.write(now, len(data)))
        self._close_after_exit(now)

    def _close_after_exit(self, now: int) -> None:
        if not self._output:
            self._wire.send(now, "engine", self._wire.engine.close(now))

    def _look(self, now: int) -> None:
        """The client's program looks at its end of the connection."""
        client = self._wire.client
        if self._ending != "open":
            return
        if client.failure and self._scenario.client.resumes:
            self._resume(now)
        elif client.failure:
            self._ending, self._at = client.failure, now
        elif client.peer_finished:
            self._ending, self._at = "end", now
            self._wire.send(now, "client", client.close(now))

    def _resume(self, now: int) -> None:
        """Read the engine's log over a new connection, from the byte where the old one broke."""
        self._position = self._received
        self._breaks += 1
        self._wire = self._dial(now)
        missing = len(self._log) - self._position
        if missing:
            self._wire.send(now, "engine", self._wire.engine.write(now, missing))
        self._close_after_exit(now)


def simulate(scenario: Scenario, until: int | None = None) -> Outcome:
    """What becomes of `scenario` in the end, or `until` milliseconds after the job's start."""
    return Simulation(scenario).run(until)
