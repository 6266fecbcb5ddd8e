import copy
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.pipeline.merging import deep_merge
from tracekeeper.pipeline.node import Mapping, Node, Scalar, Sequence
from tracekeeper.pipeline.yaml import parse

_keys = st.sampled_from("abc")
_trees = st.dictionaries(
    _keys,
    st.recursive(
        st.integers(0, 9) | st.none() | st.lists(st.integers(0, 9), max_size=2),
        lambda inner: st.dictionaries(_keys, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=3,
)


def tree(value: object, file: str = "ci.yml") -> Mapping:
    node = parse(yaml.safe_dump(value, sort_keys=False).encode(), file, [])
    assert isinstance(node, Mapping)
    return node


def plain(node: Node) -> Any:
    match node:
        case Mapping():
            return {entry.key: plain(entry.value) for entry in node}
        case Sequence():
            return [plain(item) for item in node.items]
        case Scalar():
            return node.value
    raise AssertionError(node)


def slow_merge(base: Any, override: Any) -> Any:
    """The definition: mappings key by key, everything else replaced."""
    if not (isinstance(base, dict) and isinstance(override, dict)):
        return copy.deepcopy(override)
    merged = copy.deepcopy(base)
    for key in override:
        merged[key] = slow_merge(base.get(key), override[key])
    return merged


@given(_trees, _trees)
def test_merges_as_defined_and_keeps_the_order(base: Any, override: Any) -> None:
    merged = plain(deep_merge(tree(base), tree(override)))
    expected = slow_merge(base, override)
    assert merged == expected
    assert list(merged) == list(expected)


@given(_trees, _trees)
def test_leaves_both_sides_alone(base: Any, override: Any) -> None:
    left, right = tree(base), tree(override)
    deep_merge(left, right)
    assert (plain(left), plain(right)) == (base, override)


def test_positions_are_those_of_what_counts() -> None:
    base = tree({"a": 1, "v": {"x": 1, "y": 1}}, "base.yml")
    merged = deep_merge(base, tree({"v": {"x": 2}}, "top.yml"))
    assert merged.at.file == "top.yml"
    assert merged.entries["a"].at.file == "base.yml"
    assert merged.entries["v"].at.file == "top.yml"
    variables = merged.get("v")
    assert isinstance(variables, Mapping)
    assert [entry.at.file for entry in variables] == ["top.yml", "base.yml"]
