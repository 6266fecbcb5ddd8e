"""Time limits, after_script, and what becomes of attempts that cannot go on."""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def test_the_jobs_timeout_ends_everything(checkout: Any) -> None:
    checkout.pipeline("""
job:
  timeout: 1 second
  script: [echo begun, touch kept, sleep 600]
  after_script: [echo must not run]
  artifacts: {paths: [kept], when: always}
""")
    run = checkout.run()
    assert run.code == 1
    end = run.finished()
    assert end["failure_reason"] == "job_execution_timeout"
    assert end["message"] == "the job ran longer than its timeout of 1 s and was stopped"
    assert end["verdict"] == "proven"
    assert end["exit_code"] is None
    assert "begun" in run.lines()
    assert "must not run" not in run.lines()
    assert not (checkout.kept().path / "jobs/1-job/artifacts").exists()


def goodbye(checkout: Any, *arguments: str, **job: str) -> None:
    checkout.pipeline(f"""
job:
  timeout: 2 seconds
  {"".join(f"{key}: {value}" for key, value in job.items())}
  script:
    - trap 'echo trapped; sleep 1; echo cleaned; exit 1' TERM
    - echo begun
    - while sleep 0.1; do :; done
""")
    run = checkout.run(*arguments)
    assert run.finished()["failure_reason"] == "job_execution_timeout"
    assert run.lines("job").index("trapped") < run.lines("job").index("cleaned")


def test_a_script_at_the_jobs_timeout_has_time_to_clean_up(checkout: Any) -> None:
    goodbye(checkout)


@pytest.mark.docker
def test_a_container_at_the_jobs_timeout_has_time_to_clean_up(checkout: Any, busybox: str) -> None:
    goodbye(checkout, "--executor", "docker", image=busybox)


def test_the_jobs_timeout_holds_for_after_script_too(checkout: Any) -> None:
    checkout.pipeline("""
job: {timeout: 1 second, script: [echo], after_script: [echo begun, sleep 600]}
""")
    run = checkout.run()
    assert run.finished()["failure_reason"] == "job_execution_timeout"
    assert "begun" in run.lines()


def test_a_script_with_a_limit_of_its_own_leaves_time(checkout: Any) -> None:
    checkout.pipeline("""
job:
  variables: {RUNNER_SCRIPT_TIMEOUT: 500ms}
  script: [touch kept, sleep 600]
  after_script: [echo "then $CI_JOB_STATUS"]
  artifacts: {paths: [kept], when: on_failure}
""")
    run = checkout.run()
    end = run.finished()
    assert end["failure_reason"] == "job_execution_timeout"
    assert end["message"] == "the script ran longer than 0.5 s and was stopped"
    assert "then failed" in run.lines()
    assert (checkout.kept().path / "jobs/1-job/artifacts/artifacts.zip").exists()


def test_after_script_with_a_limit_of_its_own(checkout: Any) -> None:
    checkout.pipeline("""
ignored:
  variables: {RUNNER_AFTER_SCRIPT_TIMEOUT: 300ms}
  script: [echo]
  after_script: [echo begun, sleep 600]
counted:
  variables: {RUNNER_AFTER_SCRIPT_TIMEOUT: 300ms, AFTER_SCRIPT_IGNORE_ERRORS: "false"}
  script: [echo]
  after_script: [echo begun, sleep 600]
unreadable:
  variables: {RUNNER_AFTER_SCRIPT_TIMEOUT: "300"}
  script: [echo]
  after_script: [echo ended]
""")
    run = checkout.run()
    assert run.results == {
        "ignored": "success",
        "counted": "job_execution_timeout",
        "unreadable": "success",
    }
    sentence = "after_script ran longer than 0.3 s and was stopped"
    assert any(sentence in line for line in run.lines("ignored"))
    assert run.finished("counted")["message"] == sentence
    assert any("'300' is not a duration" in line for line in run.lines("unreadable"))
    assert "ended" in run.lines("unreadable")


def test_after_script_has_a_shell_of_its_own(checkout: Any) -> None:
    checkout.pipeline("""
job:
  variables: {GIVEN: given}
  script: [cd /, OWN=1, export EXPORTED=1, "false"]
  after_script:
    - echo "status $CI_JOB_STATUS, $GIVEN, ${OWN-none}, ${EXPORTED-none}"
    - test "$PWD" = "$CI_PROJECT_DIR" && echo same place
    - exit 3
""")
    run = checkout.run()
    assert run.code == 1
    assert run.finished()["exit_code"] == 1
    assert "status failed, given, none, none" in run.lines()
    assert "same place" in run.lines()
    assert any("after_script: exit code 3" in line for line in run.lines())


@pytest.mark.parametrize(
    ("script", "exit_code", "message"),
    [("exit 0", 3, "after_script: exit code 3"), ("exit 2", 2, "exit code 2")],
)
def test_a_failed_after_script_may_count(
    checkout: Any, script: str, exit_code: int, message: str
) -> None:
    checkout.pipeline(f"""
job:
  variables: {{AFTER_SCRIPT_IGNORE_ERRORS: "false"}}
  script: [{script}]
  after_script: [exit 3]
  artifacts: {{paths: [.gitlab-ci.yml], when: on_failure}}
""")
    run = checkout.run()
    end = run.finished()
    assert (end["failure_reason"], end["exit_code"]) == ("script_failure", exit_code)
    assert end["message"] == message
    archive = checkout.kept().path / "jobs/1-job/artifacts/artifacts.zip"
    assert zipfile.ZipFile(archive).namelist() == [".gitlab-ci.yml"]


def test_after_script_is_left_out_where_the_script_never_began(checkout: Any) -> None:
    checkout.pipeline("""
job:
  image: no-such-image
  script: [echo]
  after_script: [echo must not run]
""")
    run = checkout.run("-e", "docker", "--docker-host", f"unix://{checkout.home}/none")
    assert run.code == 1
    end = run.finished()
    assert end["failure_reason"] == "runner_system_failure"
    assert end["verdict"] == "proven"
    assert "must not run" not in run.lines()


def test_a_dependency_whose_artifacts_are_gone(checkout: Any) -> None:
    checkout.pipeline("""
stages: [a, b]
one: {stage: a, script: [touch f], artifacts: {paths: [f]}}
thief: {stage: a, needs: [one], script: ['rm -r "$DATA"/runs/1/jobs/1-one/artifacts']}
two: {stage: b, script: [echo must not run], retry: 2}
""")
    run = checkout.run("-V", f"DATA={checkout.root / '.tracekeeper'}")
    end = run.finished("two")
    assert end["failure_reason"] == "missing_dependency_failure"
    assert "the artifacts of one are gone" in end["message"]
    assert not run.of_type("job_retried")


def test_a_variable_that_grows_without_end_fails_its_job_alone(checkout: Any) -> None:
    grow = "".join(f"  V{n}: $V{n + 1}$V{n + 1}\n" for n in range(30))
    checkout.pipeline(f"""
bad:
  variables:
{"".join("  " + line + chr(10) for line in grow.splitlines())}    V30: x
  script: [echo must not run]
good: {{script: [echo]}}
""")
    run = checkout.run()
    assert run.code == 1
    assert run.results == {"bad": "runner_system_failure", "good": "success"}
    assert "grows beyond" in run.finished("bad")["message"]
    assert [event["name"] for event in run.of_type("job_started")] == ["good"]
    for_people = checkout.start(json=False)
    assert for_people.code == 1
    assert for_people.errors == ""
    assert "grows beyond" in "".join(for_people.printed)


def patched(checkout: Any, code: str) -> dict[str, str]:
    """An environment in which tracekeeper runs with `code` done to it."""
    site = checkout.home / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(code)
    return {"PYTHONPATH": str(site)}


DEFECTS: dict[str, str] = {
    "in a stage": """
from tracekeeper.runner.files import JobFiles
def broken(self): raise ZeroDivisionError("planted")
JobFiles.restore_caches = broken
""",
    "before the trace": """
from tracekeeper.local import attempt
real = attempt.build
def broken(job, *rest, **more):
    if job.name == "bad": raise ZeroDivisionError("planted")
    return real(job, *rest, **more)
attempt.build = broken
""",
    "in the cleanup": """
from tracekeeper.runner.executors.shell import ShellExecutor
real = ShellExecutor.cleanup
async def broken(self):
    await real(self)
    if self._directory.name == "0": raise ZeroDivisionError("planted")
ShellExecutor.cleanup = broken
""",
}


@pytest.mark.parametrize("where", DEFECTS)
def test_a_defect_of_ours_fails_one_job_at_most(checkout: Any, where: str) -> None:
    checkout.pipeline("""
bad: {script: [echo], cache: {key: k, paths: [x]}}
good: {script: [echo]}
""")
    run = checkout.run(environment=patched(checkout, DEFECTS[where]))
    assert run.finished("good")["status"] == "success"
    assert run.errors == ""
    assert checkout.builds == []
    words = "a defect of tracekeeper (ZeroDivisionError: planted); please report it with "
    if where == "in the cleanup":
        assert run.code == 0
        (warning,) = run.warnings
        assert words in warning
        return
    assert run.code == 1
    end = run.finished("bad")
    assert end["failure_reason"] == "runner_system_failure"
    assert end["message"].startswith(words)
    assert (
        "ZeroDivisionError: planted"
        in (checkout.root / end["message"].removeprefix(words)).read_text()
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_events_that_cannot_be_kept_stop_nothing(checkout: Any) -> None:
    checkout.pipeline("job: {script: [echo hello]}")
    code = """
from tracekeeper.local.journal import EventJournal
real = EventJournal.__init__
def full(self, path):
    real(self, path)
    self._file.close()
    self._file = open("/dev/full", "ab", buffering=0)
EventJournal.__init__ = full
"""
    run = checkout.run(environment=patched(checkout, code))
    assert run.code == 0
    assert [event["type"] for event in run.events[:2]] == ["run_started", "warning"]
    (warning,) = run.warnings
    assert "is not kept: the disk refuses" in warning
    assert run.finished()["verdict"] == "proven"


@pytest.mark.root
def test_what_cannot_be_removed_is_told(checkout: Any) -> None:
    checkout.pipeline("""
job: {script: [mkdir -p held, mount -t tmpfs tk-held held, touch held/file]}
""")
    run = checkout.run()
    try:
        assert run.code == 0
        assert any("cannot be removed" in warning for warning in run.warnings)
    finally:
        for line in Path("/proc/mounts").read_text().splitlines():
            if line.startswith("tk-held "):
                os.system(f"umount {line.split()[1]}")
    checkout.pipeline("job: {script: [echo]}")
    assert checkout.builds
    assert checkout.run().warnings[0].startswith("run 1 was killed, or could not clean up")
    assert checkout.builds == []


@pytest.fixture
def many(checkout: Any) -> Callable[[int], None]:
    def make(count: int) -> None:
        checkout.pipeline(f"""
job: {{parallel: {count}, script: [echo $CI_NODE_INDEX], after_script: [echo $CI_JOB_STATUS]}}
""")

    return make


def test_many_jobs_side_by_side(checkout: Any, many: Callable[[int], None]) -> None:
    many(200)
    run = checkout.run("-j", "20")
    assert run.code == 0
    ends = run.of_type("job_finished")
    assert len(ends) == 200
    assert {end["verdict"] for end in ends} == {"proven"}
    assert all(str(n) in run.lines(f"job {n}/200") for n in range(1, 201))
    assert checkout.builds == []
    assert run.errors == ""
