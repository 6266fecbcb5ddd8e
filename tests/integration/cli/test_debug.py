"""A shell in a job's container: on a terminal, in a pipe, while it runs and after it ended."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from tests.integration.cli.conftest import PROGRAM, TIME_LIMIT, Project, Terminal

from tracekeeper.local.data import DataDirectory
from tracekeeper.net.lab import Lab

pytestmark = pytest.mark.docker
Open = Callable[..., Terminal]

PIPELINE = """
default: {{image: {{name: "{image}", pull_policy: never}}}}
job:
  services: [{{name: "{image}", alias: store, command: [sleep, "600"], pull_policy: never}}]
  variables: {{COLOUR: blue}}
  script: [echo written >file, exit 3]
good: {{script: [echo]}}
runs: {{script: [echo begun, "while ! test -e ../end; do sleep 0.1; done"]}}
many: {{parallel: 2, script: [exit 1]}}
"""


class Jobs:
    """A project with jobs, and what there is of them on the engine."""

    def __init__(self, project: Project, api: Callable[..., Any]) -> None:
        self.project = project
        self._api = api

    def debug(self, *arguments: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            [PROGRAM, "debug", *arguments],
            cwd=self.project.path,
            input=stdin,
            capture_output=True,
            timeout=TIME_LIMIT,
            check=False,
        )

    def keep(self, *jobs: str) -> "subprocess.CompletedProcess[bytes]":
        return self.project.tracekeeper("run", "--keep-containers", "failed", *jobs)

    def log(self, job: str) -> str:
        return self.project.tracekeeper("logs", job).stdout.decode()

    def made(self, kind: str) -> list[dict[str, Any]]:
        """The ``containers`` or ``networks`` that there are."""
        data = self.project.path / ".tracekeeper"
        if not data.exists():
            return []
        filters = json.dumps({"label": [f"tracekeeper.data={DataDirectory.find(data).id}"]})
        path = {"containers": "/containers/json?all=1&", "networks": "/networks?"}[kind]
        found: list[dict[str, Any]] = self._api("GET", f"{path}filters={quote(filters)}")
        return found

    @property
    def states(self) -> list[str]:
        return sorted(container["State"] for container in self.made("containers"))


@pytest.fixture
def jobs(project: Project, busybox: str, engine_api: Callable[..., Any]) -> Iterator[Jobs]:
    project.write(PIPELINE.format(image=busybox))
    found = Jobs(project, engine_api)
    yield found
    for job in ("job", "many"):
        found.debug("--remove", job)
    assert found.states == []
    assert found.made("networks") == []


def test_a_job_that_failed_is_kept(jobs: Jobs) -> None:
    ran = jobs.keep("job", "good")
    assert ran.returncode == 1
    told = "the container is kept: `tracekeeper debug job` opens a shell in it"
    assert ran.stderr.decode().count(told) == 1
    assert told in jobs.log("job")
    assert jobs.states == ["exited", "running"]  # the service is kept as it is
    before = jobs.log("job")

    script = b"pwd; cat file; echo $COLOUR $CI_JOB_NAME; ping -c 1 store; echo wrong >&2; exit 7"
    shell = jobs.debug("job", stdin=script)
    assert shell.stdout.startswith(b"/builds/project\nwritten\nblue job\nPING store")
    assert shell.stderr == b"wrong\n"
    assert shell.returncode == 7
    assert jobs.states == ["exited", "running"]
    assert jobs.log("job") == before  # what a person does is no part of the job

    assert jobs.project.tracekeeper("run", "good").returncode == 0
    assert jobs.debug("job", "--", "cat", "file").stdout == b"written\n"
    assert jobs.debug("job", "--run", "2").returncode == 2
    assert jobs.debug("--remove", "job").returncode == 0
    assert jobs.states == []
    assert jobs.made("networks") == []
    gone = jobs.debug("job")
    assert gone.returncode == 2
    assert b"none of it is kept" in gone.stderr


def test_what_is_kept_outlives_the_removal_of_leftovers(jobs: Jobs) -> None:
    """A run that was killed has left things with the same labels."""
    jobs.keep("job")
    killed = jobs.project.start("run", "runs")
    jobs.project.shell("until grep -qs begun .tracekeeper/runs/2/jobs/*/trace; do sleep 0.05; done")
    killed.send_signal(signal.SIGKILL)
    killed.wait(TIME_LIMIT)
    assert jobs.states == ["exited", "running", "running"]
    for journal in jobs.project.path.glob(".tracekeeper/runs/2/jobs/*/journal"):
        os.utime(journal, (0, 0))  # too long ago for --resume
    plain = jobs.project.tracekeeper("run", "good")
    assert b"run 2 was killed" in plain.stderr
    assert jobs.states == ["exited", "running"]
    assert jobs.debug("job", "--", "cat", "file").stdout == b"written\n"


def test_a_running_job(jobs: Jobs) -> None:
    run = jobs.project.start("run", "runs")
    jobs.project.shell("until grep -qs begun .tracekeeper/runs/1/jobs/*/trace; do sleep 0.05; done")
    assert jobs.debug("runs", stdin=b"cat /.tracekeeper/step | grep -c begun").returncode == 0
    assert jobs.debug("runs", "--shell", "sh", stdin=b"exit 6").returncode == 6
    assert jobs.states == ["running"]
    assert jobs.debug("runs", "--", "touch", "../end").returncode == 0
    assert run.wait(TIME_LIMIT) == 0
    assert b"none of it is kept" in jobs.debug("runs").stderr


def test_a_command_that_is_not_there(jobs: Jobs) -> None:
    """The engine tells that on the command's stdout, where it is not what a command wrote."""
    jobs.keep("job")
    for arguments in (("--", "nosuch"), ("--shell", "nosuch")):
        answer = jobs.debug("job", *arguments)
        assert answer.stdout == b""
        assert answer.stderr == (
            b'tracekeeper: the command could not be started: exec: "nosuch":'
            b" executable file not found in $PATH\n"
        )
        assert answer.returncode in (126, 127)
    assert b'"/etc/passwd": permission denied' in jobs.debug("job", "--", "/etc/passwd").stderr
    same = jobs.debug("job", "--", "sh", "-c", "echo OCI runtime exec failed: mine; exit 126")
    assert (same.stdout, same.stderr) == (b"OCI runtime exec failed: mine\n", b"")
    assert same.returncode == 126
    assert jobs.states == ["exited", "running"]


def test_a_container_that_a_killed_run_has_left(jobs: Jobs, engine_api: Callable[..., Any]) -> None:
    run = jobs.project.start("run", "runs")
    jobs.project.shell("until grep -qs begun .tracekeeper/runs/1/jobs/*/trace; do sleep 0.05; done")
    run.kill()
    run.wait(TIME_LIMIT)
    log = jobs.project.tracekeeper("logs", "--follow", "runs")
    assert log.stderr == (
        b"tracekeeper: run 1 was killed; its container may have gone on:"
        b" `tracekeeper run --resume` fetches the rest\n"
    )
    assert jobs.debug("runs", "--", "pwd").stdout == b"/builds/project\n"
    assert jobs.states == ["running"]  # it is no kept one, which ends with its last shell
    (container,) = jobs.made("containers")
    engine_api("POST", f"/containers/{container['Id']}/kill")
    hint = b"\n  run 1 was killed: `tracekeeper run --resume` takes it up\n"
    assert jobs.debug("runs").stderr == (
        b"tracekeeper: the container of 'runs' has ended meanwhile" + hint
    )
    engine_api("DELETE", f"/containers/{container['Id']}?v=1")
    assert jobs.debug("runs").stderr == (
        b"tracekeeper: the container of 'runs' is not there any more" + hint
    )
    assert jobs.project.tracekeeper("run", "--resume").returncode == 1
    assert b"none of it is kept" in jobs.debug("runs").stderr


def test_much_through_a_pipe(jobs: Jobs) -> None:
    jobs.keep("job")
    data = os.urandom(1_000_000)
    assert jobs.debug("job", "--", "cat", stdin=data).stdout == data
    source = jobs.project.path / "README"
    with source.open("rb") as file:
        read = subprocess.run(
            [PROGRAM, "debug", "job", "--", "cat"],
            cwd=jobs.project.path,
            stdin=file,
            capture_output=True,
            timeout=TIME_LIMIT,
            check=True,
        )
    assert read.stdout == source.read_bytes()


def test_several_shells_share_a_kept_container(jobs: Jobs) -> None:
    jobs.keep("job")
    with subprocess.Popen(
        [PROGRAM, "debug", "job"],
        cwd=jobs.project.path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as first:
        assert first.stdin is not None
        assert first.stdout is not None
        first.stdin.write(b"echo ready\n")
        first.stdin.flush()
        assert first.stdout.readline() == b"ready\n"
        assert jobs.debug("job", "--", "true").returncode == 0
        assert jobs.states == ["running", "running"]
        first.stdin.write(b"exit 4\n")
        first.stdin.close()
        assert first.wait(TIME_LIMIT) == 4
    assert jobs.states == ["exited", "running"]


def test_removing_tells_of_an_open_shell(jobs: Jobs) -> None:
    jobs.keep("many 1/2")
    with subprocess.Popen(
        [PROGRAM, "debug", "many 1/2"],
        cwd=jobs.project.path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as shell:
        assert shell.stdin is not None
        assert shell.stdout is not None
        shell.stdin.write(b"echo ready\n")
        shell.stdin.flush()
        assert shell.stdout.readline() == b"ready\n"
        removed = jobs.debug("--remove", "many 1/2")
        assert removed.stderr == b"tracekeeper: a shell was open in what is removed now\n"
    assert jobs.states == []


def test_every_attempt_is_kept_and_removed(jobs: Jobs) -> None:
    jobs.project.write(PIPELINE.format(image="busybox").replace("[exit 1]", "[exit 1], retry: 1"))
    jobs.keep("many")
    assert jobs.states == ["exited"] * 4
    several = jobs.debug("many")
    assert several.returncode == 2
    assert b"name one of them: 'many 1/2', 'many 2/2'" in several.stderr
    assert jobs.debug("many 2/2", stdin=b"exit 8").returncode == 8
    assert jobs.debug("--remove", "many").returncode == 0


def test_what_cannot_be(jobs: Jobs) -> None:
    assert b"nothing is kept in" in jobs.debug("job").stderr
    ran = jobs.project.tracekeeper("run", "-e", "shell", "--keep-containers", "failed", "good")
    assert b"warning: --keep-containers has no effect: jobs of the shell executor" in ran.stderr
    for arguments, sentence in (
        (("jop",), b"there is no log of 'jop'"),
        (("good",), b"'good' does not run in a container now, and none of it is kept"),
        (("--remove", "good"), b"nothing of 'good' is kept"),
        (("--remove", "good", "--", "ls"), b"--remove opens no shell"),
        (("good", "--shell", "sh", "--", "ls"), b"cannot go together"),
    ):
        answer = jobs.debug(*arguments)
        assert answer.returncode == 2
        assert sentence in answer.stderr


def test_a_kept_container_that_somebody_removed(jobs: Jobs, engine_api: Callable[..., Any]) -> None:
    jobs.keep("many 1/2")
    (container,) = jobs.made("containers")
    engine_api("DELETE", f"/containers/{container['Id']}?force=1")
    gone = jobs.debug("many 1/2")
    assert gone.returncode == 2
    assert (
        b"is not there any more\n  `tracekeeper debug --remove 'many 1/2'` forgets it"
        in gone.stderr
    )
    assert jobs.debug("--remove", "many 1/2").returncode == 0


@pytest.mark.root
def test_over_tls(project: Project, lab: Lab) -> None:
    """What was kept is remembered with its engine, certificates and all."""
    project.write(PIPELINE.format(image="busybox"))
    environment = {"XDG_CACHE_HOME": str(project.path.with_name("cache"))}

    def tracekeeper(*arguments: str, stdin: bytes = b"") -> tuple[bytes, int]:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "cwd": project.path}
        with lab.client([str(PROGRAM), *arguments], env=os.environ | environment, **pipes) as child:
            return child.communicate(stdin, TIME_LIMIT)[0], child.returncode

    _, status = tracekeeper("run", "--keep-containers", "failed", "many 1/2")
    assert status == 1
    data = os.urandom(300_000)
    assert tracekeeper("debug", "many 1/2", "--", "sh", "-c", "cat; exit 9", stdin=data) == (
        data,
        9,
    )
    assert tracekeeper("debug", "--remove", "many 1/2") == (b"", 0)


# ------------------------------------------------------------------------------- on a terminal


def test_a_terminal(jobs: Jobs, terminal: Open) -> None:
    """What is typed arrives, Ctrl-C and all; the size follows; the modes come back."""
    jobs.keep("job")
    script = "stty -g >before; tracekeeper debug job; echo ended with $?; stty -g >after"
    screen = terminal("sh", "-c", script, columns=90)
    screen.until_shown("project #")
    screen.type("stty size; echo $TERM\n")
    screen.until(lambda text: "24 90" in text and ("tmux" in text or "screen" in text))
    screen.resize(70)
    screen.type("until stty size | grep 70; do sleep 0.1; done; echo follows\n")
    screen.until(lambda text: text.count("follows") == 2)
    screen.type("sleep 600\n")
    screen.type("echo never seen\n")
    screen.press("C-c")
    screen.type("echo inter''rupted\n")
    screen.until_shown("interrupted")
    screen.type("exit 5\n")
    screen.until_shown("ended with 5")
    before, after = (jobs.project.path / name for name in ("before", "after"))
    jobs.project.shell("until test -s after; do sleep 0.05; done")
    assert before.read_text() == after.read_text()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_the_modes_come_back_after_a_signal(
    jobs: Jobs, terminal: Open, number: signal.Signals, status: int
) -> None:
    jobs.keep("job")
    script = (
        "stty -g >before; (echo $BASHPID >pid; exec tracekeeper debug job);"
        " echo ended with $?; stty -g >after"
    )
    screen = terminal("bash", "-c", script)
    screen.until_shown("project #")
    os.kill(int((jobs.project.path / "pid").read_text()), number)
    screen.until_shown(f"ended with {status}")
    jobs.project.shell("until test -s after; do sleep 0.05; done")
    assert jobs.project.shell("cmp before after").returncode == 0


def test_the_modes_come_back_when_the_container_goes(
    jobs: Jobs, terminal: Open, engine_api: Callable[..., Any]
) -> None:
    jobs.keep("many 1/2")
    screen = terminal(
        "sh", "-c", "stty -g >before; tracekeeper debug 'many 1/2'; echo ended; stty -g >after"
    )
    screen.until_shown("project #")
    assert jobs.debug("--remove", "many 1/2").returncode == 0
    screen.until_shown("ended")
    jobs.project.shell("until test -s after; do sleep 0.05; done")
    assert jobs.project.shell("cmp before after").returncode == 0
