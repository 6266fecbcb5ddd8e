"""From rows and their results to what must come together. Pure.

A *box* is a set of values for each factor; a row is in it if each of its values is.
"""

from collections.abc import Hashable, Mapping
from typing import TypeAlias, TypeVar

Row: TypeAlias = tuple[Hashable, ...]
Box: TypeAlias = tuple[frozenset[Hashable], ...]
V = TypeVar("V", bound=Hashable)


def prime_boxes(rows: Mapping[Row, bool]) -> list[Box]:
    """The largest boxes that hold only rows which are true; together they hold every such row.

    These are the prime implicants of switching theory, for factors of more than two values. Every
    combination of the factors' values must be among `rows`.
    """
    everything = tuple(map(frozenset, zip(*rows, strict=True)))
    boxes: list[Box] = [everything] if rows else []
    for row, holds in rows.items():
        if not holds:
            boxes = _largest([part for box in boxes for part in _without(box, row)])
    return boxes


def _without(box: Box, row: Row) -> list[Box]:
    """The largest boxes in `box` that do not hold `row`."""
    if not _holds(box, row):
        return [box]
    parts = [
        (*box[:factor], values - {row[factor]}, *box[factor + 1 :])
        for factor, values in enumerate(box)
    ]
    return [part for part in parts if all(part)]


def _holds(box: Box, row: Row) -> bool:
    return all(value in values for value, values in zip(row, box, strict=True))


def _largest(boxes: list[Box]) -> list[Box]:
    distinct = list(dict.fromkeys(boxes))
    return [box for box in distinct if not any(_is_within(box, b) for b in distinct if b != box)]


def _is_within(box: Box, larger: Box) -> bool:
    return all(values <= more for values, more in zip(box, larger, strict=True))


def merged(rows: Mapping[Row, V]) -> list[tuple[Box, V]]:
    """The rows with equal results drawn together, factor by factor from the last to the first,
    so that a short table can show them all; each row is in exactly one box."""
    groups = {tuple(frozenset({value}) for value in row): result for row, result in rows.items()}
    for factor in reversed(range(max(map(len, groups), default=0))):
        groups = _merged_along(groups, factor)
    return list(groups.items())


def _merged_along(groups: Mapping[Box, V], factor: int) -> dict[Box, V]:
    values: dict[tuple[Box, V], frozenset[Hashable]] = {}
    for box, result in groups.items():
        others = (box[:factor] + box[factor + 1 :], result)
        values[others] = values.get(others, frozenset()) | box[factor]
    return {
        (*rest[:factor], united, *rest[factor:]): result
        for (rest, result), united in values.items()
    }
