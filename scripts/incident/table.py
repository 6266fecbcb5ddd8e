"""The outcomes as a table, for a terminal and for a page."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime

from scripts.incident.attempt import Case, Outcome, Place
from scripts.incident.clients import versions


def text(outcomes: Sequence[Outcome]) -> str:
    """Columns of plain text."""
    rows = _rows(outcomes)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def markdown(outcomes: Sequence[Outcome]) -> str:
    """The same for a page."""
    head, *rows = _rows(outcomes)
    rule = tuple("---" for _ in head)
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, rule, *rows))


def measured_with() -> str:
    """One sentence: when, and with which versions."""
    known = ", ".join(f"{name} {version}" for name, version in versions().items())
    today = datetime.now(UTC).date()
    return f"Measured on {today} with {known}; Linux {os.uname().release}."


def one(outcome: Outcome) -> str:
    """One outcome as a line."""
    case = outcome.case
    return " | ".join(
        (*_where(case.place), case.client, f"quiet for {case.sleep} s", *_cells(outcome))
    )


def _rows(outcomes: Sequence[Outcome]) -> list[tuple[str, ...]]:
    """A row for each client in each place, with three columns for each sleep."""
    sleeps = list(dict.fromkeys(outcome.case.sleep for outcome in outcomes))
    found = {outcome.case: outcome for outcome in outcomes}
    head = ["engine", "firewall", "client"]
    for sleep in sleeps:
        head += [f"quiet for {sleep} s: output", "exit status", "knew after"]
    rows = [tuple(head)]
    for place, client in dict.fromkeys((case.place, case.client) for case in found):
        row = [*_where(place), client]
        for sleep in sleeps:
            row += _cells(found[Case(client, place, sleep)])
        rows.append(tuple(row))
    return rows


def _where(place: Place) -> tuple[str, str]:
    return "keepalive" if place.engine_keepalive else "no keepalive", place.variant


def _cells(outcome: Outcome) -> tuple[str, str, str]:
    output = "complete" if outcome.complete else f"{outcome.lines} of 3 lines"
    if outcome.status is None:
        return output, "none", "never"
    status = "right" if outcome.right else f"{outcome.status}, wrong"
    return output, status, "no container" if outcome.knew is None else f"{outcome.knew:.1f} s"
