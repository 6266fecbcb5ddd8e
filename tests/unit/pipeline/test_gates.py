"""Gates: what counts as over, and how it ended."""

import pytest

from tracekeeper.pipeline.config import When
from tracekeeper.pipeline.gates import Gate, Kind, accepts, kind_of
from tracekeeper.pipeline.status import STATUSES, Status


def gate(*kinds: Kind) -> Gate:
    counted = Gate()
    for kind in kinds:
        counted.add(kind)
    return counted


KINDS: list[tuple[Status, bool, Kind]] = [
    ("success", False, "passed"),
    ("failed", False, "failed"),
    ("failed", True, "passed"),
    ("canceled", False, "canceled"),
    ("canceled", True, "passed"),
    ("skipped", True, "idle"),
    ("manual", False, "open"),
    ("manual", True, "idle"),
    ("scheduled", True, "open"),
    ("canceling", True, "open"),
]


@pytest.mark.parametrize(("status", "allow_failure", "kind"), KINDS)
def test_kind_of(status: Status, allow_failure: bool, kind: Kind) -> None:
    assert kind_of(status, allow_failure) == kind


def test_no_gate_is_passed_at_once() -> None:
    assert gate().of_stages() == gate().of_needs("on_success") == "success"
    assert not gate().is_open


def test_verdicts() -> None:
    assert gate("open", "failed").of_stages() is None
    assert gate("passed", "failed", "canceled").of_stages() == "failed"
    assert gate("passed", "canceled").of_stages() == "canceled"
    assert gate("passed", "idle").of_stages() == "success"
    assert gate("idle").of_stages() == "skipped"


def test_an_idle_need_decides_at_once_except_for_always() -> None:
    assert gate("idle", "open").of_needs("on_success") == "skipped"
    assert gate("idle", "open").of_needs("always") is None
    assert gate("idle", "failed").of_needs("always") == "skipped"
    assert gate("passed", "failed").of_needs("always") == "failed"


ACCEPTED: list[tuple[When, str, str]] = [
    ("on_success", "success skipped", "success"),
    ("manual", "success skipped", "success"),
    ("delayed", "success skipped", "success"),
    ("on_failure", "failed", "failed"),
    ("always", "success skipped failed", "success skipped failed"),
    ("never", "", ""),
]


@pytest.mark.parametrize(("when", "by_stage", "by_needs"), ACCEPTED)
def test_accepts(when: When, by_stage: str, by_needs: str) -> None:
    for verdict in ("success", "failed", "canceled", "skipped"):
        assert accepts(when, verdict, by_needs=False) == (verdict in by_stage.split())
        assert accepts(when, verdict, by_needs=True) == (verdict in by_needs.split())


def test_counting() -> None:
    counted = gate("open", "open")
    counted.move("open", "failed")
    assert counted.is_open
    counted.move("open", "passed")
    other = gate("idle")
    other.include(counted)
    assert (counted.is_open, counted.of_stages(), other.of_needs("on_success")) == (
        False,
        "failed",
        "skipped",
    )


def test_every_status_has_a_kind() -> None:
    assert {kind_of(status, False) for status in STATUSES} == {
        "open",
        "passed",
        "failed",
        "canceled",
        "idle",
    }
