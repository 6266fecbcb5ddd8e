from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.net.incident.conditions import Box, Row, merged, prime_boxes

SPACE: list[Row] = list(product("ab", "xyz", (1, 2)))
TABLES = st.lists(st.booleans(), min_size=len(SPACE), max_size=len(SPACE)).map(
    lambda results: dict(zip(SPACE, results, strict=True))
)


def box(*values: str) -> Box:
    return tuple(map(frozenset, values))


def rows_in(found: Box) -> set[Row]:
    return set(product(*found))


def test_nothing_or_everything() -> None:
    rows: list[Row] = list(product("ab", "xy"))
    assert prime_boxes({}) == []
    assert prime_boxes(dict.fromkeys(rows, False)) == []
    assert prime_boxes(dict.fromkeys(rows, True)) == [box("ab", "xy")]
    assert merged({}) == []
    assert merged(dict.fromkeys(rows, 1)) == [(box("ab", "xy"), 1)]


def test_two_reasons_that_overlap() -> None:
    rows: dict[Row, bool] = {
        (road, client): client == "n" or (road, client) == ("t", "s")
        for road, client in product("pt", "nso")
    }
    assert set(prime_boxes(rows)) == {box("pt", "n"), box("t", "ns")}


@given(TABLES)
def test_boxes_hold_what_is_true_and_cannot_grow(rows: dict[Row, bool]) -> None:
    boxes = prime_boxes(rows)
    true = {row for row, holds in rows.items() if holds}
    assert set().union(*map(rows_in, boxes)) == true
    everything = tuple(map(frozenset, zip(*SPACE, strict=True)))
    for found in boxes:
        for factor, values in enumerate(found):
            for value in everything[factor] - values:
                grown = (*found[:factor], values | {value}, *found[factor + 1 :])
                assert not rows_in(grown) <= true


@given(TABLES)
def test_each_row_is_in_one_group_with_its_result(rows: dict[Row, bool]) -> None:
    groups = merged(rows)
    shown = [(row, result) for found, result in groups for row in rows_in(found)]
    assert sorted(shown, key=repr) == sorted(rows.items(), key=repr)
