"""Resource groups."""

from tracekeeper.pipeline.resources import Resources
from tracekeeper.pipeline.status import Status

WAITING: Status = "waiting_for_resource"


def test_a_job_without_a_group_needs_nothing() -> None:
    resources = Resources({"a": ""})
    assert resources.take("a")
    assert resources.release("a", {}) is None


def test_one_holds_a_group_and_the_first_in_the_queue_inherits() -> None:
    resources = Resources(dict.fromkeys("abc", "g"))
    assert [resources.take(job) for job in "abc"] == [True, False, False]
    statuses = dict.fromkeys("abc", WAITING)
    assert resources.release("b", statuses) is None
    assert [resources.release(job, statuses) for job in "abc"] == ["b", "c", None]
    assert resources.take("a")


def test_who_does_not_wait_any_more_is_passed_over() -> None:
    resources = Resources(dict.fromkeys("abc", "g"))
    for job in "abc":
        resources.take(job)
    assert resources.release("a", {"b": "canceled", "c": WAITING}) == "c"


def test_queues_can_be_forgotten() -> None:
    resources = Resources(dict.fromkeys("ab", "g"))
    assert [resources.take(job) for job in "ab"] == [True, False]
    resources.forget_queues()
    assert resources.release("a", {"b": WAITING}) is None
