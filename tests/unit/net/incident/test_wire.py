from tracekeeper.net.incident.firewall import Flow, Variant
from tracekeeper.net.incident.options import SocketOptions, in_force
from tracekeeper.net.incident.timeline import Event
from tracekeeper.net.incident.wire import LATENCY, Wire

OFF = in_force(SocketOptions())


def wire(variant: Variant | None, *, keepalive: int = 0) -> tuple[Wire, list[Event]]:
    events: list[Event] = []
    flow = Flow(0, 10_000, variant) if variant else None
    client = in_force(SocketOptions(bool(keepalive), keepalive, 1, 3))
    return Wire(0, client, OFF, flow, events), events


def run(made: Wire, until: int) -> None:
    while (now := made.deadline) is not None and now <= until:
        made.step(now)


def test_data_arrives_and_is_acknowledged() -> None:
    made, events = wire(None)
    before = made.busy, made.deadline
    made.send(5, "engine", made.engine.write(5, 13))
    under_way = made.busy, made.deadline
    run(made, 1000)
    assert (before, under_way) == ((False, None), (True, 5 + LATENCY))
    assert (made.client.received, made.busy) == (13, False)
    assert events == [
        Event(0, "syn", "client"),
        Event(5, "data", "engine", 13),
        Event(5 + LATENCY, "ack", "client"),
    ]


def test_what_is_forgotten_is_dropped() -> None:
    made, events = wire("drop")
    run(made, 20_000)
    made.send(20_000, "engine", made.engine.write(20_000, 13))
    assert events[1:] == [
        Event(10_000, "forgotten", "firewall"),
        Event(20_000, "data", "engine", 13, "dropped"),
    ]
    run(made, 20_300)
    assert events[3:] == [Event(20_204, "retransmission", "engine", 13, "dropped")]


def test_or_rejected_to_who_sent_it() -> None:
    made, events = wire("reject")
    run(made, 20_000)
    made.send(20_000, "engine", made.engine.write(20_000, 13))
    run(made, 30_000)
    assert made.engine.failure == "ECONNRESET"
    assert made.client.alive
    assert events[2:] == [
        Event(20_000, "data", "engine", 13, "rejected"),
        Event(20_000, "rst", "firewall"),
    ]


def test_a_probe_of_the_client_opens_the_way_for_what_was_lost() -> None:
    made, events = wire("reopen", keepalive=15)
    run(made, 12_000)
    made.send(12_000, "engine", made.engine.write(12_000, 13))
    run(made, 20_000)
    assert made.client.received == 13
    kinds = [event.kind for event in events if event.at >= 15_000 and not event.fate]
    assert kinds == ["keepalive", "keepalive_ack", "retransmission", "ack"]


def test_an_endpoint_that_gives_up_is_told_of_before_what_it_sends_last() -> None:
    made, events = wire("drop", keepalive=11)
    run(made, 60_000)
    assert events[-2:] == [
        Event(14_000, "timed_out", "client"),
        Event(14_000, "rst", "client", fate="dropped"),
    ]
