from tracekeeper.pipeline.node import Entry, Mapping, Scalar
from tracekeeper.problems import Position

AT = Position("f", 1, 1)


def test_a_mapping_is_asked_by_key_and_read_in_file_order() -> None:
    one, two = Scalar(1, "1", AT), Scalar("2", "2", AT)
    mapping = Mapping({"b": Entry("b", one, AT), "a": Entry("a", two, AT)}, AT)
    assert mapping.get("b") is one
    assert mapping.get("c") is None
    assert [entry.key for entry in mapping] == ["b", "a"]
    assert "a" in mapping
    assert "c" not in mapping
