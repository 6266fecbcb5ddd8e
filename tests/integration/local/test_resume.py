"""`run --resume`: what a user is told, and what becomes of every kind of job."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.docker

STEADY = "for n in $(seq 1 40); do echo line $n; sleep 0.1; done"
DAY = 24 * 3600


def image(busybox: str) -> str:
    return f'image: {{name: "{busybox}", pull_policy: never}}'


def start(checkout: Any, url: str, *arguments: str) -> Any:
    return checkout.start("-e", "auto", "--docker-host", url, *arguments)


def kill(run: Any) -> None:
    run.signal(signal.SIGKILL)
    run.process.wait(60)


def resume(checkout: Any, *arguments: str) -> Any:
    command = [sys.executable, "-m", "tracekeeper", "run", "--resume", "--json", *arguments]
    return subprocess.run(
        command,
        cwd=checkout.root,
        env={**os.environ, "XDG_CACHE_HOME": str(checkout.home)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def told(done: Any, kind: str = "") -> list[dict[str, Any]]:
    events = [json.loads(line) for line in done.stdout.splitlines()]
    return [event for event in events if not kind or event["type"] == kind]


def output(done: Any, job: str) -> str:
    return "".join(event["text"] for event in told(done, "output") if event["name"] == job)


def containers(engine_api: Callable[..., Any], checkout: Any) -> list[str]:
    filters = json.dumps({"label": [f"tracekeeper.data={checkout.data.id}"]})
    from urllib.parse import quote

    things = engine_api("GET", f"/containers/json?all=1&filters={quote(filters)}")
    return [thing["Id"] for thing in things]


def test_a_run_goes_on_as_if_nothing_had_happened(
    checkout: Any, engine_url: str, engine_api: Callable[..., Any], busybox: str
) -> None:
    checkout.pipeline(f"""
stages: [first, second, third]
first: {{stage: first, script: [echo 1 > one, echo "A=first" > env],
         artifacts: {{paths: [one], reports: {{dotenv: env}}}}}}
second: {{stage: second, {image(busybox)}, script: ['{STEADY}', cat one > two],
          after_script: [echo after], artifacts: {{paths: [two]}}}}
third: {{stage: third, {image(busybox)}, script: [cat one two, "echo $A $LATER"]}}
""")
    killed = start(checkout, engine_url, "-V", "LATER=given")
    killed.until_output("\nline 5\n")
    kill(killed)
    checkout.write(".gitlab-ci.yml", "nonsense")
    done = resume(checkout)
    assert done.returncode == 0, done.stdout
    first, *_, last = told(done)
    assert (first["type"], first["run"], last["type"]) == ("run_resumed", 1, "run_finished")
    assert [job["name"] for job in first["jobs"]] == ["first", "second", "third"]
    assert [(job["name"], job["status"]) for job in first["finished"]] == [("first", "success")]
    (resumed,) = told(done, "job_resumed")
    assert (resumed["name"], resumed["attempt"]) == ("second", 1)
    assert resumed["silent"] >= 0
    lines = [line for line in output(done, "second").splitlines() if line.startswith("line ")]
    assert lines == [f"line {n}" for n in range(1, 41)]
    assert "WARNING: the run was killed, and is taken up again after" in output(done, "second")
    assert "\n1\n1\n" in output(done, "third")
    assert "\nfirst given\n" in output(done, "third")
    assert {end["verdict"] for end in told(done, "job_finished")} == {"proven"}
    assert containers(engine_api, checkout) == []
    assert checkout.builds == []
    assert not [
        *checkout.kept().path.rglob("run.json"),
        *checkout.kept().path.rglob("payload.json"),
    ]
    raw = subprocess.run(
        [sys.executable, "-m", "tracekeeper", "logs", "--raw", "second"],
        cwd=checkout.root,
        capture_output=True,
        check=True,
    )
    assert raw.stdout.decode() == output(done, "second")
    events = checkout.kept().events.read_text().splitlines()
    assert [json.loads(line)["type"] for line in events].count("run_started") == 1
    assert resume(checkout).returncode == 2


def test_jobs_that_died_with_the_run(checkout: Any, engine_url: str, busybox: str) -> None:
    checkout.pipeline("""
again: {script: [echo tried, '[ "$CI_JOB_ID" != 100001 ] || sleep 60'],
        retry: {max: 1, when: runner_system_failure}}
once: {script: [echo begun, sleep 60]}
""")
    killed = start(checkout, engine_url, "-j", "2")
    killed.until_output("\ntried\n")
    killed.until_output("\nbegun\n")
    kill(killed)
    done = resume(checkout)
    assert done.returncode == 1
    ends = [
        (end["name"], end["status"], end["failure_reason"], end["verdict"])
        for end in told(done, "job_finished")
    ]
    assert sorted(ends) == [
        ("again", "failed", "runner_system_failure", "unproven"),
        ("again", "success", "", "proven"),
        ("once", "failed", "runner_system_failure", "unproven"),
    ]
    assert "the run was killed while the job's script ran on this machine" in output(done, "once")
    assert "\nbegun\n" in output(done, "once")


def test_a_job_that_was_being_prepared(
    checkout: Any, engine_url: str, engine_api: Callable[..., Any], busybox: str, make_image: Any
) -> None:
    silent = make_image(ExposedPorts={"80/tcp": {}})
    checkout.pipeline(f"""
job: {{{image(busybox)}, script: [echo], services: [{{name: "{silent}", pull_policy: never,
       entrypoint: [sleep], command: ["600"], alias: silent}}]}}
""")
    killed = start(checkout, engine_url)
    killed.until_output("Starting service")
    deadline = time.monotonic() + 60
    while not containers(engine_api, checkout):
        assert time.monotonic() < deadline
    kill(killed)
    done = resume(checkout)
    assert done.returncode == 1
    (end,) = told(done, "job_finished")
    assert end["message"] == "the run was killed while the job was being prepared"
    assert end["verdict"] == "unproven"
    assert containers(engine_api, checkout) == []


def test_a_container_that_is_gone(
    checkout: Any, engine_url: str, engine_api: Callable[..., Any], busybox: str
) -> None:
    checkout.pipeline(f"job: {{{image(busybox)}, script: ['{STEADY}']}}")
    killed = start(checkout, engine_url)
    killed.until_output("\nline 2\n")
    kill(killed)
    (container,) = containers(engine_api, checkout)
    engine_api("DELETE", f"/containers/{container}?force=1&v=1")
    done = resume(checkout)
    (end,) = told(done, "job_finished")
    assert (done.returncode, end["failure_reason"]) == (1, "runner_system_failure")
    assert end["message"].startswith("the job's container is gone from ")
    assert end["verdict"] == "unproven"


def test_another_run_leaves_it_alone_for_a_day(
    checkout: Any, engine_url: str, engine_api: Callable[..., Any], busybox: str
) -> None:
    checkout.pipeline(f"job: {{{image(busybox)}, script: ['{STEADY}']}}\nother: {{script: [echo]}}")
    killed = start(checkout, engine_url, "job")
    killed.until_output("\nline 2\n")
    kill(killed)
    (warning,) = checkout.run("other").warnings
    assert warning.startswith("run 1 was killed and left containers: `tracekeeper run --resume`")
    assert len(containers(engine_api, checkout)) == 1
    (journal,) = checkout.kept(1).path.glob("jobs/*/journal")
    os.utime(journal, (time.time() - DAY - 1,) * 2)
    (warning,) = checkout.run("other").warnings
    assert warning.startswith("run 1 was killed, or could not clean up; removed now: ")
    assert containers(engine_api, checkout) == []
    assert resume(checkout).returncode == 2


def test_two_at_once(checkout: Any, engine_url: str, busybox: str) -> None:
    checkout.pipeline(f"job: {{{image(busybox)}, script: ['{STEADY}']}}")
    killed = start(checkout, engine_url)
    killed.until_output("\nline 2\n")
    kill(killed)
    command = [sys.executable, "-m", "tracekeeper", "run", "--resume", "--json"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(checkout.home)}
    with subprocess.Popen(
        command, cwd=checkout.root, env=environment, stdout=subprocess.PIPE
    ) as first:
        assert first.stdout is not None
        assert b"run_resumed" in first.stdout.readline()
        second = resume(checkout)
        assert (second.returncode, told(second)) == (2, [])
        assert "there is nothing to take up" in second.stderr
        assert "run 1 still goes on" in second.stderr
        rest = first.stdout.read()
    assert first.returncode == 0, rest


def test_an_engine_that_is_away(checkout: Any, engine_url: str, busybox: str) -> None:
    checkout.pipeline(f"job: {{{image(busybox)}, script: ['{STEADY}']}}")
    link = checkout.home / "engine.sock"
    link.symlink_to(engine_url.removeprefix("unix://"))
    killed = start(checkout, f"unix://{link}")
    killed.until_output("\nline 2\n")
    kill(killed)
    be_impatient(checkout.kept().record)
    link.unlink()
    away = resume(checkout)
    assert away.returncode == 1
    (waiting,) = told(away)
    assert waiting["message"].endswith("waiting up to 0 s for it")
    assert str(link) in away.stderr
    link.symlink_to(engine_url.removeprefix("unix://"))
    assert resume(checkout).returncode == 0


def be_impatient(record: Path) -> None:
    """A patience that no test waits for."""
    kept = json.loads(record.read_bytes())
    kept["host"]["patience"] = 0.1
    record.write_text(json.dumps(kept))


def test_an_interrupted_run_is_brought_to_its_end(
    checkout: Any, engine_url: str, engine_api: Callable[..., Any], busybox: str
) -> None:
    checkout.pipeline(
        f"job: {{{image(busybox)}, script: [\"trap '' TERM; {STEADY}; sleep 600\"],"
        " after_script: [echo after]}"
    )
    killed = start(checkout, engine_url)
    killed.until_output("\nline 2\n")
    killed.signal(signal.SIGINT)
    killed.until(lambda event: event.get("status") == "canceling")
    kill(killed)
    done = resume(checkout)
    assert done.returncode == 130
    (end,) = told(done, "job_finished")
    assert end["status"] == "canceled"
    assert containers(engine_api, checkout) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "there is nothing to take up"),
        (["job"], "a JOB cannot be chosen now"),
        (["--file", "f.yml"], "--file cannot be chosen now"),
        (["-V", "A=1"], "--variable cannot be chosen now"),
        (["-j", "3"], "--jobs cannot be chosen now"),
    ],
)
def test_what_cannot_be(checkout: Any, arguments: list[str], said: str) -> None:
    checkout.pipeline("other: {script: [echo]}")
    assert checkout.run().code == 0
    done = resume(checkout, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_there_was_never_a_run(checkout: Any) -> None:
    done = resume(checkout)
    assert done.returncode == 2
    assert "nothing is kept in" in done.stderr


def test_a_record_that_is_torn(checkout: Any, engine_url: str, busybox: str) -> None:
    checkout.pipeline("job: {script: [echo begun, sleep 60]}")
    killed = start(checkout, engine_url)
    killed.until_output("\nbegun\n")
    kill(killed)
    checkout.kept().record.write_text("{")
    done = resume(checkout)
    assert done.returncode == 2
    assert "run 1 cannot be taken up" in done.stderr
    checkout.pipeline("job: {script: [echo]}")
    assert "removed now" in checkout.run().warnings[0]


def test_an_engine_that_was_named_stays_named(checkout: Any) -> None:
    checkout.pipeline("""
stages: [first, second]
first: {stage: first, script: [echo begun, sleep 300]}
second: {stage: second, image: busybox, script: [echo here], when: always}
""")
    killed = start(checkout, f"unix://{checkout.home}/none")
    killed.until_output("\nbegun\n")
    kill(killed)
    done = resume(checkout)
    assert done.returncode == 1
    [second] = [event for event in told(done, "job_started") if event["name"] == "second"]
    assert (second["executor"], second["why"]) == (
        "docker",
        "the engine was named by --docker-host",
    )
