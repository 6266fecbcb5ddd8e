"""The job status table, every pair of it, and composite statuses."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.pipeline.status import (
    ALIVE,
    COMPLETED,
    EVENTS,
    STATUSES,
    TRANSITIONS,
    Event,
    IllegalTransition,
    Status,
    compose,
    markdown_table,
    mermaid,
    next_status,
)

PAIRS = list(itertools.product(STATUSES, EVENTS))
LEGAL = [pair for pair in PAIRS if pair[0] in TRANSITIONS[pair[1]]]
ILLEGAL = [pair for pair in PAIRS if pair not in LEGAL]


@pytest.mark.parametrize(("status", "event"), LEGAL)
def test_legal_transitions(status: Status, event: Event) -> None:
    assert next_status(status, event) == TRANSITIONS[event][status]


@pytest.mark.parametrize(("status", "event"), ILLEGAL)
def test_illegal_transitions(status: Status, event: Event) -> None:
    with pytest.raises(IllegalTransition, match=f"a job that is {status} cannot"):
        next_status(status, event)


def test_every_status_is_reached_from_created() -> None:
    reached: set[Status] = {"created"}
    for _ in STATUSES:
        reached |= {t[s] for t in TRANSITIONS.values() for s in reached if s in t}
    assert reached == set(STATUSES)


def test_only_retry_and_reset_leave_a_completed_status() -> None:
    leaving = {event for status, event in LEGAL if status in COMPLETED}
    assert leaving == {"retry", "reset"}


def test_every_alive_status_can_be_ended() -> None:
    for status in ALIVE:
        assert next_status(status, "cancel_now") == "canceled"
    assert {"manual"} | COMPLETED | ALIVE == set(STATUSES)


COMPOSITES: list[tuple[str, Status]] = [
    ("", "success"),
    ("success", "success"),
    ("success failed?", "success"),
    ("canceled?", "success"),
    ("success skipped", "success"),
    ("skipped", "skipped"),
    ("skipped manual?", "skipped"),
    ("success manual?", "success"),
    ("success manual", "manual"),
    ("manual created", "manual"),
    ("failed manual?", "failed"),
    ("failed skipped success", "failed"),
    ("failed canceled", "failed"),
    ("canceled success", "canceled"),
    ("created", "created"),
    ("created failed?", "created"),
    ("created success", "running"),
    ("created pending", "pending"),
    ("pending success", "running"),
    ("running failed", "running"),
    ("failed created", "running"),
    ("running canceling", "running"),
    ("canceled canceling", "canceling"),
    ("failed canceling", "canceling"),
    ("created canceled", "running"),
    ("failed waiting_for_resource", "waiting_for_resource"),
    ("success scheduled", "scheduled"),
    ("scheduled created manual", "manual"),
]


def parse(jobs: str) -> list[tuple[Status, bool]]:
    """``failed?`` is a job that failed and may."""
    named: dict[str, Status] = {status: status for status in STATUSES}
    return [(named[job.rstrip("?")], job.endswith("?")) for job in jobs.split()]


@pytest.mark.parametrize(("jobs", "status"), COMPOSITES)
def test_compose(jobs: str, status: Status) -> None:
    assert compose(parse(jobs)) == status


some_jobs = st.lists(st.tuples(st.sampled_from(STATUSES), st.booleans()), max_size=6)


@given(some_jobs)
def test_many_are_completed_when_each_is(jobs: list[tuple[Status, bool]]) -> None:
    ended = all(s in COMPLETED or (s == "manual" and allowed) for s, allowed in jobs)
    assert (compose(jobs) in COMPLETED) == ended


@given(some_jobs)
def test_order_and_number_do_not_matter(jobs: list[tuple[Status, bool]]) -> None:
    assert compose(jobs) == compose([*reversed(jobs), *jobs])


def test_the_table_for_the_documents() -> None:
    lines = markdown_table().splitlines()
    header = [cell.strip() for cell in lines[0].split("|")[1:-1]]
    found = {
        (cells[0], event, cell)
        for line in lines[2:]
        if (cells := [cell.strip() for cell in line.split("|")[1:-1]])
        for event, cell in zip(header[1:], cells[1:], strict=True)
        if cell
    }
    assert found == {(s, e, TRANSITIONS[e][s]) for s, e in LEGAL}


def test_the_diagram_for_the_documents() -> None:
    lines = [line.strip() for line in mermaid().splitlines()]
    assert lines[:2] == ["stateDiagram-v2", "[*] --> created"]
    arrows = {f"{s} --> {TRANSITIONS[e][s]}: {e}" for s, e in LEGAL}
    assert set(lines[2:]) == arrows | {f"{status} --> [*]" for status in COMPLETED}
