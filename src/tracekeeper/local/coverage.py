"""``coverage``: the figure that a regular expression finds in a job's log.

Source: https://docs.gitlab.com/ci/testing/code_coverage/. As in GitLab, the last line counts in
which a match holds a number; of several matches or groups there the last one. GitLab's patterns
are RE2's, here they are Python's, which differ in rare constructs.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tracekeeper.errors import UsageError
from tracekeeper.runner.spool import tail
from tracekeeper.trace.lines import Stripper

LONGEST_LINE = 64 * 1024
"""Of a longer line only the end is looked at, so that memory is bounded."""

_NUMBER = re.compile(r"\d+(\.\d+)?")


def coverage(trace: Path, literal: str) -> float | None:
    """What the pattern ``/…/`` finds in the file `trace`; None where there is no figure.

    Raises UsageError for a pattern that cannot be used, StorageError for a trace that cannot be
    read. Blocks.
    """
    try:
        pattern = re.compile(literal[1:-1])
    except re.error as error:
        raise UsageError(f"the pattern {literal} of `coverage` cannot be used: {error}") from error
    last = None
    for line in _lines(tail(trace)):
        found = _figure(pattern, line)
        last = last if found is None else found
    return last


def _figure(pattern: re.Pattern[str], line: str) -> float | None:
    matches = pattern.findall(line)
    if not matches:
        return None
    match = matches[-1] if isinstance(matches[-1], str) else matches[-1][-1]
    number = _NUMBER.search(match)
    return float(number[0]) if number else None


def _lines(blocks: Iterable[bytes]) -> Iterator[str]:
    """The lines of a trace as text, the end of each if it is too long."""
    stripper = Stripper()
    begun = b""
    for block in blocks:
        *whole, rest = stripper.feed(block).split(b"\n")
        if whole:
            whole[0] = begun + whole[0]
            begun = b""
        yield from map(_text, whole)
        begun = (begun + rest)[-LONGEST_LINE:]
    yield _text(begun + stripper.finish())


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace")
