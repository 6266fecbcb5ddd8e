"""Running a part of a pipeline: what it does without is told."""

from typing import Any

PIPELINE = """
build: {stage: build, script: [echo made > made], artifacts: {paths: [made]}}
test: {needs: [build], script: [cat made || true]}
late: {script: [echo late], rules: [{if: $NEVER}]}
"""


def test_missing_artifacts_are_told(checkout: Any) -> None:
    checkout.pipeline(PIPELINE)
    run = checkout.run("test")
    assert run.code == 0
    (warning,) = run.warnings
    assert warning.startswith("test does without the artifacts of build, which this run leaves out")
    run = checkout.run("test", "--needs")
    assert run.warnings == []
    assert "made" in run.lines("test")


def test_a_job_that_its_rules_leave_out(checkout: Any) -> None:
    checkout.pipeline(PIPELINE)
    run = checkout.run("late")
    assert run.code == 2
    assert "'late' is not in this pipeline: its rules leave it out" in run.errors


def test_an_address_that_is_none(checkout: Any) -> None:
    checkout.pipeline(PIPELINE)
    run = checkout.run("-e", "docker", "--docker-host", "ftp://nonsense")
    assert run.code == 2
    assert "'ftp://nonsense' is no address of a Docker Engine" in run.errors
    assert not (checkout.root / ".tracekeeper").exists()
