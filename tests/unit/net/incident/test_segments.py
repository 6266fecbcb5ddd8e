from tracekeeper.net.incident.segments import Segment, other


def test_a_fin_takes_a_sequence_number() -> None:
    assert Segment("data", 5, 0, size=3).end == 8
    assert Segment("fin", 8, 0, fin=True).end == 9
    assert Segment("ack", 9, 0).length == 0


def test_each_side_has_an_other() -> None:
    assert (other("client"), other("engine")) == ("engine", "client")
