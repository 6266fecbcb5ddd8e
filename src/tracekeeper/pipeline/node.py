"""The tree of a YAML document: plain values that know where they were written.

Everything after the YAML parser works on these nodes, so that every finding, however late,
names a file, a line and a column.
"""

from collections.abc import Iterator
from typing import TypeAlias

import msgspec

from tracekeeper.problems import Position

Value: TypeAlias = str | int | float | bool | None


class Scalar(msgspec.Struct, frozen=True):
    """A single value. `text` is what was written, `value` what YAML 1.1 makes of it."""

    value: Value
    text: str
    at: Position


class Sequence(msgspec.Struct, frozen=True):
    """A list of nodes."""

    items: tuple["Node", ...]
    at: Position


class Entry(msgspec.Struct, frozen=True):
    """One ``key: value`` of a mapping; `at` is where the key stands."""

    key: str
    value: "Node"
    at: Position


class Mapping(msgspec.Struct, frozen=True):
    """A mapping in file order, its keys unique (a later duplicate replaces an earlier one)."""

    entries: dict[str, Entry]
    at: Position

    def get(self, key: str) -> "Node | None":
        """The value of `key`, or None where there is no such key."""
        entry = self.entries.get(key)
        return entry.value if entry else None

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries.values())

    def __contains__(self, key: str) -> bool:
        return key in self.entries


class Reference(msgspec.Struct, frozen=True):
    """``!reference [job, keyword, …]``, not resolved yet."""

    path: tuple[str, ...]
    at: Position


Node: TypeAlias = Scalar | Sequence | Mapping | Reference
