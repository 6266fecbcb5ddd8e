"""The life of a job as one table, and the status of many jobs together.

Source: the state machine and the composite status of GitLab's CI, see
https://docs.gitlab.com/ci/jobs/#available-job-statuses. GitLab's `preparing` and
`waiting_for_callback` do not exist here. GitLab retries by making a new job; here the same job
begins again.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Literal, TypeAlias, get_args

from tracekeeper.errors import TracekeeperError

Status: TypeAlias = Literal[
    "created",
    "waiting_for_resource",
    "pending",
    "running",
    "canceling",
    "success",
    "failed",
    "canceled",
    "skipped",
    "manual",
    "scheduled",
]
Event: TypeAlias = Literal[
    "enqueue",
    "wait_for_resource",
    "hold",
    "schedule",
    "skip",
    "run",
    "succeed",
    "drop",
    "cancel",
    "cancel_now",
    "retry",
    "reset",
]

STATUSES: Final[tuple[Status, ...]] = get_args(Status)
EVENTS: Final[tuple[Event, ...]] = get_args(Event)

TRANSITIONS: Final[Mapping[Event, Mapping[Status, Status]]] = {
    # all that the job waited for is done, or a person played it
    "enqueue": {
        "created": "pending",
        "waiting_for_resource": "pending",
        "manual": "pending",
        "scheduled": "pending",
    },
    # the same, but another job holds its resource group
    "wait_for_resource": {
        "created": "waiting_for_resource",
        "manual": "waiting_for_resource",
        "scheduled": "waiting_for_resource",
    },
    # a manual job's turn has come: it waits for a person
    "hold": {"created": "manual"},
    # a delayed job's turn has come: it waits for its time
    "schedule": {"created": "scheduled"},
    # what came before did not end the way the job's `when` asks for
    "skip": {"created": "skipped"},
    # an executor took the job
    "run": {"pending": "running"},
    # it ended; a job that ends while it is being canceled was canceled, however it ended
    "succeed": {"running": "success", "canceling": "canceled"},
    "drop": {"pending": "failed", "running": "failed", "canceling": "canceled"},
    # the job is to stop: what runs still runs its after_script
    "cancel": {
        "created": "canceled",
        "waiting_for_resource": "canceled",
        "pending": "canceled",
        "running": "canceling",
        "scheduled": "canceled",
    },
    # the job is gone
    "cancel_now": {
        "created": "canceled",
        "waiting_for_resource": "canceled",
        "pending": "canceled",
        "running": "canceled",
        "canceling": "canceled",
        "scheduled": "canceled",
    },
    # `retry` allows another attempt
    "retry": {"failed": "created"},
    # a manual job that it was skipped for was played after all
    "reset": {"skipped": "created"},
}

COMPLETED: Final[frozenset[Status]] = frozenset({"success", "failed", "canceled", "skipped"})
ALIVE: Final[frozenset[Status]] = frozenset(
    {"created", "waiting_for_resource", "pending", "running", "canceling", "scheduled"}
)
"""Neither completed nor waiting for a person."""


class IllegalTransition(TracekeeperError):
    """An event that cannot happen to a job of this status: a fault of the caller."""

    code = "illegal_transition"


def next_status(status: Status, event: Event) -> Status:
    """The status after `event`. Raises IllegalTransition where the table has none."""
    following = TRANSITIONS[event].get(status)
    if following is None:
        raise IllegalTransition(f"a job that is {status} cannot {event.replace('_', ' ')}")
    return following


_QUIET: Final = frozenset({"success", "skipped", "warnings", "ignored"})
"""What never decides the status of many alone."""


def compose(jobs: Iterable[tuple[Status, bool]]) -> Status:
    """The status of a stage or pipeline from each job's status and whether it may fail.

    A job that may fail counts as passed when it failed or was canceled, and does not count while
    it waits for a person. No jobs at all are a success.
    """
    found = {_counted(status, allow_failure) for status, allow_failure in jobs}
    if not found:
        return "success"
    if found <= {"skipped", "ignored"}:
        return "skipped"
    if found <= _QUIET:
        return "success"
    if found <= {"created", "warnings", "ignored"}:
        return "created"
    if found <= _QUIET | {"canceled"}:
        return "canceled"
    if found <= {"pending", "created", "skipped", "warnings", "ignored"}:
        return "pending"
    return _dominant(found)


def _counted(status: Status, allow_failure: bool) -> str:
    if allow_failure and status in ("failed", "canceled"):
        return "warnings"
    if allow_failure and status == "manual":
        return "ignored"
    return status


def _dominant(found: set[str]) -> Status:
    """The status of a mixture: the first of these that is in it."""
    if found & {"running", "pending"}:
        return "running"
    for status in ("waiting_for_resource", "manual", "scheduled"):
        if status in found:
            return status
    if "created" in found:
        return "running"
    return "canceling" if "canceling" in found else "failed"


def markdown_table() -> str:
    """The transitions as a Markdown table: a row for each status, a column for each event."""
    rows = [f"| status | {' | '.join(EVENTS)} |", "|---" * (len(EVENTS) + 1) + "|"]
    for status in STATUSES:
        cells = (TRANSITIONS[event].get(status, "") for event in EVENTS)
        rows.append(f"| {status} | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def mermaid() -> str:
    """The transitions as a Mermaid state diagram."""
    arrows = [
        f"    {status} --> {following}: {event}"
        for event in EVENTS
        for status, following in TRANSITIONS[event].items()
    ]
    ends = [f"    {status} --> [*]" for status in STATUSES if status in COMPLETED]
    return "\n".join(["stateDiagram-v2", "    [*] --> created", *arrows, *ends]) + "\n"
