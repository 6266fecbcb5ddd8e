"""Runs that are interrupted: once, twice, early, late, and for good."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tracekeeper.local.journal import read_events
from tracekeeper.local.session import INTERRUPTED_AGAIN, INTERRUPTED_ONCE
from tracekeeper.runner import processes

POLITE = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]

pytestmark = pytest.mark.skipif(not processes.LINUX, reason="looks at /proc")


def processes_of(checkout: Any) -> list[int]:
    return processes.marked_anywhere(checkout.data.id)


def assert_nothing_is_left(checkout: Any) -> None:
    assert processes_of(checkout) == []
    assert checkout.builds == []


@pytest.mark.parametrize("number", POLITE)
def test_once(checkout: Any, number: signal.Signals) -> None:
    checkout.pipeline("""
job:
  script:
    - trap 'echo child got TERM; exit' TERM; (trap 'echo group got TERM; exit' TERM;
      echo ready; while :; do sleep 0.05; done) & while :; do sleep 0.05; done
  after_script: [echo "status $CI_JOB_STATUS", echo kept > kept]
  artifacts: {paths: [kept], when: always}
next: {stage: deploy, script: [echo never]}
""")
    run = checkout.start()
    run.until_output("\nready\n")
    run.signal(number)
    assert run.code == 130
    assert run.results == {"job": "job_canceled", "next": "canceled"}
    lines = run.lines()
    assert {"child got TERM", "group got TERM", "status canceled"} <= set(lines)
    assert "Job canceled" in lines[-1]
    assert (checkout.kept().path / "jobs/1-job/artifacts/artifacts.zip").exists()
    assert run.of_type("run_finished") == run.events[-1:]
    assert run.events[-1]["exit_code"] == 130
    assert run.events[-1]["status"] == "canceled"
    assert [each["message"] for each in run.of_type("warning")] == [INTERRUPTED_ONCE]
    assert run.errors == ""
    assert_nothing_is_left(checkout)


@pytest.mark.parametrize("number", POLITE)
def test_twice_is_at_once(checkout: Any, number: signal.Signals) -> None:
    checkout.pipeline("""
stubborn:
  script:
    - trap '' TERM
    - (trap '' TERM; while :; do sleep 9; done) &
    - echo ready; sleep 600; sleep 600
  after_script: [echo must not run]
""")
    run = checkout.start()
    run.until_output("\nready\n")
    run.signal(number)
    run.until(lambda event: event["type"] == "job_status" and event["status"] == "canceling")
    run.signal(number)
    assert run.code == 130
    told = [each["message"] for each in run.of_type("warning")]
    assert told == [INTERRUPTED_ONCE, INTERRUPTED_AGAIN]
    assert "must not run" not in run.lines("stubborn")
    assert run.finished("stubborn")["seconds"] < 5  # the grace of a polite end
    assert_nothing_is_left(checkout)


def test_a_second_interrupt_ends_an_after_script_that_hangs(checkout: Any) -> None:
    checkout.pipeline("""
job:
  script: [echo ready, sleep 600]
  after_script: [echo hanging, sleep 600]
""")
    run = checkout.start()
    run.until_output("\nready\n")
    run.signal(signal.SIGINT)
    run.until_output("\nhanging\n")
    run.signal(signal.SIGINT)
    assert run.code == 130
    assert run.finished()["status"] == "canceled"
    assert "after_script was interrupted; the job's result stays as it is" in "".join(run.lines())
    assert_nothing_is_left(checkout)


def test_an_after_script_that_runs_already_may_end(checkout: Any) -> None:
    checkout.pipeline("""
job:
  script: [echo]
  after_script:
    - echo begun; while ! [ -e "$GO" ]; do sleep 0.02; done
    - echo ended
""")
    go = checkout.home / "go"
    run = checkout.start("-V", f"GO={go}")
    run.until_output("\nbegun\n")
    run.signal(signal.SIGINT)
    run.until(lambda event: event["type"] == "job_status" and event["status"] == "canceling")
    go.touch()
    assert run.code == 130
    assert "ended" in run.lines()
    assert run.finished()["status"] == "canceled"


@pytest.mark.parametrize("group", [False, True])
def test_while_the_snapshot_is_taken(checkout: Any, group: bool) -> None:
    """A git that waits stands in for a large project."""
    git = checkout.home / "bin" / "git"
    git.parent.mkdir()
    real = subprocess.run(["which", "git"], capture_output=True, text=True, check=True).stdout
    git.write_text(f"""#!/bin/sh
case "$*" in *ls-files*) if [ -e {checkout.home}/arm ]; then
  touch {checkout.home}/waiting; while [ -e {checkout.home}/arm ]; do sleep 0.02; done; fi;; esac
exec {real.strip()} "$@"
""")
    git.chmod(0o755)
    checkout.pipeline("job: {script: [echo never]}")
    (checkout.home / "arm").touch()
    path = f"{git.parent}:{os.environ['PATH']}"
    run = checkout.start(environment={"PATH": path})
    run.until(lambda event: event["type"] == "run_started")
    while not (checkout.home / "waiting").exists():
        assert run.process.poll() is None
        os.sched_yield()
    run.signal(signal.SIGINT, group=group)
    (checkout.home / "arm").unlink()
    assert run.code == 130
    assert run.results == ({} if group else {"job": "canceled"})  # there git is interrupted too
    assert run.events[-1]["status"] == "canceled"
    assert run.errors == ""
    assert_nothing_is_left(checkout)


def test_between_jobs(checkout: Any) -> None:
    checkout.pipeline("""
late: {script: [echo], when: delayed, start_in: 1 hour}
""")
    run = checkout.start()
    run.until(lambda event: event["type"] == "job_status" and event["status"] == "scheduled")
    run.signal(signal.SIGTERM)
    assert run.code == 130
    assert run.results == {"late": "canceled"}
    assert_nothing_is_left(checkout)


def test_jobs_that_end_as_the_interrupt_comes(checkout: Any) -> None:
    checkout.pipeline("""
job:
  parallel: 12
  script: [echo ready, 'while ! [ -e "$GO" ]; do sleep 0.01; done']
  after_script: [echo after]
""")
    go = checkout.home / "go"
    run = checkout.start("-j", "12", "-V", f"GO={go}")
    run.until_output("\nready\n", count=12)
    go.touch()
    run.signal(signal.SIGINT)
    assert run.code == 130
    ends = run.of_type("job_finished")
    assert len(ends) == 12
    assert {end["status"] for end in ends} <= {"success", "canceled"}
    assert all("after" in run.lines(end["name"]) for end in ends)
    assert run.errors == ""
    assert_nothing_is_left(checkout)


def test_ignored_signals_stay_ignored(checkout: Any) -> None:
    checkout.pipeline("""
job: {script: [echo ready, 'while ! [ -e "$GO" ]; do sleep 0.02; done']}
""")
    go = checkout.home / "go"
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        run = checkout.start("-V", f"GO={go}")
    finally:
        signal.signal(signal.SIGHUP, before)
    run.until_output("\nready\n")
    run.signal(signal.SIGHUP)
    go.touch()
    assert run.code == 0


def test_kill_9_is_cleaned_up_by_the_next_run(checkout: Any) -> None:
    checkout.pipeline("""
job:
  script:
    - setsid sleep 601 & setsid env -i sleep 602 & sleep 603 &
    - echo before the end
    - sleep 600
""")
    run = checkout.start("job")
    run.until_output("\nbefore the end\n")
    left = [pid for pid in processes.working_in(checkout.home) if pid != run.process.pid]
    run.signal(signal.SIGKILL)
    assert run.code == -signal.SIGKILL
    checkout.data.cache.mkdir()
    torn = checkout.data.cache / f"k.zip.{run.process.pid}-0123abcd.partial"
    others = checkout.data.cache / f"k.zip.{os.getpid()}-0123abcd.partial"
    for path in (torn, others):
        path.touch()
    assert len(left) >= 4
    assert checkout.builds
    checkout.pipeline("job: {script: [echo fine]}")
    after = checkout.run()
    assert after.code == 0
    (warning,) = after.warnings
    assert warning.startswith("run 1 was killed, or could not clean up; removed now: ")
    assert list(checkout.data.cache.iterdir()) == [others]
    assert not [pid for pid in left if Path(f"/proc/{pid}/exe").exists()]
    assert_nothing_is_left(checkout)
    assert checkout.run().warnings == []
    kept = list(read_events(checkout.kept(1).events))
    assert kept
    logs = [sys.executable, "-m", "tracekeeper", "logs", "job", "--run", "1"]
    shown = subprocess.run(logs, cwd=checkout.root, capture_output=True, text=True, check=False)
    assert "\nbefore the end\n" in shown.stdout
    assert "Traceback" not in shown.stderr


def test_two_runs_at_once(checkout: Any) -> None:
    checkout.pipeline("""
job:
  script: [echo "$WHO" > who, echo ready, 'while ! [ -e "$GO" ]; do sleep 0.02; done', cat who]
  artifacts: {paths: [who]}
  cache: {key: k, paths: [who]}
""")
    go = checkout.home / "go"
    runs = [checkout.start("-V", f"WHO=run-{n}", "-V", f"GO={go}") for n in range(3)]
    for run in runs:
        run.until_output("\nready\n")
    runs[2].signal(signal.SIGINT)
    assert runs[2].code == 130
    fourth = checkout.run("-V", "WHO=fourth", "-V", f"GO={checkout.root}")
    assert fourth.code == 0
    assert fourth.warnings == []
    go.touch()
    assert [run.code for run in runs[:2]] == [0, 0]
    assert [f"run-{n}" in run.lines() for n, run in enumerate(runs[:2])] == [True, True]
    assert len({run.of_type("run_started")[0]["run"] for run in [*runs, fourth]}) == 4
    assert_nothing_is_left(checkout)


def test_two_runs_that_find_a_killed_one(checkout: Any) -> None:
    checkout.pipeline("job: {script: [sleep 604 & sleep 605 & echo ready, sleep 600]}")
    killed = [checkout.start() for _ in range(2)]
    for run in killed:
        run.until_output("\nready\n")
    for run in killed:
        run.signal(signal.SIGKILL)
        run.end()
    checkout.pipeline("job: {script: [echo fine]}")
    after = [checkout.start() for _ in range(4)]
    assert [run.code for run in after] == [0] * 4
    assert [run.errors for run in after] == [""] * 4
    told = sorted(warning[:16] for run in after for warning in run.warnings)
    assert told == ["run 1 was killed", "run 2 was killed"]
    assert_nothing_is_left(checkout)
