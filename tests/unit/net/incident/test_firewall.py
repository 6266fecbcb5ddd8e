import pytest

from tracekeeper.net.incident.firewall import Flow, Variant
from tracekeeper.net.incident.segments import Segment, Side

DATA = Segment("data", 0, 0, size=1)
RST = Segment("rst", 0, 0)


def forgotten(variant: Variant) -> Flow:
    flow = Flow(0, 10_000, variant)
    flow.tick()
    return flow


def test_every_packet_renews_what_is_known() -> None:
    flow = Flow(0, 10_000, "drop")
    assert flow.deadline == 10_000
    assert flow.decide(9_500, "engine", DATA) == "pass"
    assert flow.deadline == 19_500


@pytest.mark.parametrize("side", ["client", "engine"])
def test_a_forgotten_connection_is_dropped_both_ways(side: Side) -> None:
    flow = forgotten("drop")
    assert not flow.known
    assert flow.deadline is None
    assert flow.decide(10_000, side, DATA) == "drop"


@pytest.mark.parametrize("side", ["client", "engine"])
def test_or_rejected_but_an_rst_is_not_answered(side: Side) -> None:
    assert forgotten("reject").decide(10_000, side, DATA) == "reject"
    assert forgotten("reject").decide(10_000, side, RST) == "drop"


def test_or_opened_again_from_inside_for_both_sides() -> None:
    flow = forgotten("reopen")
    assert flow.decide(12_000, "engine", DATA) == "drop"
    assert flow.decide(20_000, "client", DATA) == "pass"
    assert flow.decide(29_999, "engine", DATA) == "pass"
    assert flow.deadline == 39_999


def test_a_packet_that_ends_a_connection_opens_nothing() -> None:
    flow = forgotten("reopen")
    assert flow.decide(20_000, "client", RST) == "pass"
    assert flow.decide(20_001, "engine", DATA) == "drop"
    assert flow.deadline is None
