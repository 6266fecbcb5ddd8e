"""The silences between the lines of a log."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple


class Gap(NamedTuple):
    """A silence: how long it was, and the line that was the last before it."""

    length: timedelta
    line_number: int
    line: str


def gaps(lines: Iterable[str], at_least: timedelta) -> Iterator[Gap]:
    """Each silence of `at_least`, in the order of the log. Lines without a time are passed over."""
    last: tuple[datetime, int, str] | None = None
    for number, line in enumerate(lines, start=1):
        time = timestamp(line)
        if time is None:
            continue
        if last and time - last[0] >= at_least:
            yield Gap(time - last[0], last[1], last[2])
        last = (time, number, line.rstrip("\n"))


def timestamp(line: str) -> datetime | None:
    """The ISO 8601 time at the start of `line`, as UTC if it names no zone."""
    word = line.split(maxsplit=1)[0] if line.strip() else ""
    try:
        time = datetime.fromisoformat(word)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
