"""`tracekeeper run` is killed at random moments of a docker job, and `run --resume` goes on.

What has to hold, and is checked with no code of the program:
- the trace holds what the container wrote, byte by byte and once, whenever the kills came and
  however many they were; the job is green and its trace proven, its artifacts are whole;
- a job whose container was not started when the kill came has failed for it, and says so;
- no file of the run holds the secret at the moment of a kill, but the run's own record;
- afterwards no container, directory or record is left.

What is written has lines of every kind: short, longer than a log entry, in pieces, with secrets,
not UTF-8, and an end without a newline.

The suite has to catch these planted bugs (`PLANTED`):
- the journal is ahead: it vouches for output that is not in the trace yet
- what is behind the last line of the journal is not cut off
- how far the job had come is forgotten
"""

import io
import json
import os
import random
import re
import signal
import subprocess
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.support import jobs
from tests.support.jobs import Job, Project, Run

from tracekeeper.engine.host import Host
from tracekeeper.local.data import DataDirectory

pytestmark = pytest.mark.docker

ENGINE = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
HOST = Host(ENGINE, patience=20)

SAMPLE, FULL = 4, 20
TRIES = 8
"""So many kills may miss a planted bug."""
SECRET = b"hunter2-hunter2"
PIECES, PAUSE = 40, 0.05
KILLED_AGAIN = 0.3
"""How likely it is that the process that takes up a run is killed as well."""

PREPARING = 'Preparing the "docker" executor'
MOMENTS = {
    PREPARING: 0.1,
    "Running the script": PIECES * PAUSE,
    "section_end": 0.05,
    "Running after_script": 0.5,
    "Keeping artifacts": 0.3,
}
"""After which text, and within how many seconds, the kill comes. The first `section_end` behind the
beginning of the script is the script's own."""

PIPELINE = {
    "job": {
        "image": "busybox:latest",
        "script": [
            f"for piece in pieces/*; do cat $piece; sleep {PAUSE}; done",
            "cp -r pieces out",
        ],
        "after_script": ["cat after; sleep 0.3; cat after"],
        "artifacts": {"paths": ["out"]},
    }
}

PLANTED = {
    "ahead": """
from tracekeeper.runner.executors.container import ContainerRun
def deliver(self, pieces):
    self._delivered()
    self._output._commit()
    real(self, pieces)
real, ContainerRun._deliver = ContainerRun._deliver, deliver
""",
    "tail": """
import os
os.ftruncate = lambda *_: None
""",
    "course": """
from tracekeeper.local import attempt
attempt.msgspec = type("_", (), {
    "convert": lambda value, kind: kind(),
    "structs": attempt.msgspec.structs,
    "Struct": attempt.msgspec.Struct,
})
""",
}

SHOWN_BY = {
    "ahead": ("Running the script",),
    "tail": ("Running the script",),
    "course": ("section_end", "Running after_script"),
}
"""The moments at which a kill shows the bug."""


class Work:
    """What a job writes, and what its trace has to hold of it."""

    def __init__(self, project: Project, chance: random.Random) -> None:
        kinds: list[Callable[[], bytes]] = [
            lambda: b"a line\n",
            lambda: b"token " + SECRET + b" and more\n",
            lambda: b"x" * chance.randrange(10_000, 60_000) + b"\n",
            lambda: b"\xff broken \xe2\x94 bytes\n",
            lambda: b"progress 10%\rprogress 20%\r",
            lambda: "grün ─ 🙂\n".encode(),
        ]
        data = b"".join(chance.choice(kinds)() for _ in range(200)) + b"no newline"
        cuts = sorted(chance.randrange(len(data)) for _ in range(PIECES - 1))
        self.files = {
            f"{number:03}": data[start:end]
            for number, (start, end) in enumerate(zip([0, *cuts], [*cuts, len(data)], strict=True))
        }
        after = b"after " + SECRET + b"\n"
        pieces = project.root / "pieces"
        pieces.mkdir(exist_ok=True)
        for name, content in self.files.items():
            (pieces / name).write_bytes(content)
        (project.root / "after").write_bytes(after)
        self.written = as_logged(data) + as_logged(after + after)


def as_logged(data: bytes) -> bytes:
    """`data` as the engine's log and the mask leave it."""
    text = data.replace(SECRET, b"[MASKED]").decode("utf-8", "surrogateescape")
    return re.sub("[\udc80-\udcff]", "\N{REPLACEMENT CHARACTER}", text).encode()


def variables(project: Project) -> str:
    path = project.home / "variables.yml"
    path.write_text(json.dumps({"SECRET": {"value": SECRET.decode(), "masked": True}}))
    return f"--variables-file={path}"


def kill(run: Run, chance: random.Random, moments: Sequence[str] = tuple(MOMENTS)) -> str:
    """Kill a run at a random moment: after which text; empty if it had come to its end."""
    moment = chance.choice(moments)
    try:
        if moment == "section_end":
            run.until("Running the script")
        run.until(moment)
    except AssertionError:
        run.end()
        return ""
    with suppress(subprocess.TimeoutExpired):
        run.process.wait(chance.uniform(0, MOMENTS[moment]))
        run.end()
        return ""
    run.signal(signal.SIGKILL)
    run.process.communicate()  # its last event may be torn
    if not list(run.root.glob(".tracekeeper/runs/*/run.json")):
        run.events = newest_events(run.root)  # it had all but come to its end
        return ""
    return moment


def newest_events(root: Path) -> list[dict[str, Any]]:
    runs = sorted(root.glob(".tracekeeper/runs/*"), key=lambda path: int(path.name))
    return [json.loads(line) for line in (runs[-1] / "events.jsonl").read_bytes().splitlines()]


def killed_and_resumed(
    project: Project,
    host: Host,
    chance: random.Random,
    planted: str = "",
    moments: Sequence[str] = tuple(MOMENTS),
) -> tuple[str, Run]:
    """The moment of the first kill, one of `moments`, and the run that came to its end."""
    run = project.start(host, json.dumps(PIPELINE), variables(project), planted=planted)
    first = moment = kill(run, chance, moments)
    while moment:
        check_that_no_secret_is_kept(project)
        run = project.resume(host, planted=planted)
        if chance.random() > KILLED_AGAIN:
            run.end()
            break
        moment = kill(run, chance)
    return first, run


def check_that_no_secret_is_kept(project: Project) -> None:
    for path in project.root.glob(".tracekeeper/runs/*/jobs/*/*"):
        if path.is_file() and path.name != "payload.json":
            assert SECRET not in path.read_bytes(), path


def check(project: Project, work: Work, moment: str, run: Run) -> None:
    job = run.job()
    if moment == PREPARING and job.status == "failed":
        assert (run.code, job.reason, job.verdict) == (1, "runner_system_failure", "unproven")
        assert "killed while the job was being prepared" in job.message
        return
    assert job.verdict == "proven", (moment, job.verdict_reason)
    assert job.written == work.written, (moment, first_difference(job, work))
    assert (job.status, job.exit_code) == ("success", 0), (moment, job.message)
    assert run.code in (0, -signal.SIGKILL)
    assert artifacts(project) == {f"out/{name}": data for name, data in work.files.items()}


def first_difference(job: Job, work: Work) -> str:
    pairs = enumerate(zip(job.written, work.written, strict=False))
    at = next((n for n, (a, b) in pairs if a != b), min(len(job.written), len(work.written)))
    found, wanted = job.written[max(0, at - 40) : at + 40], work.written[max(0, at - 40) : at + 40]
    return f"at {at} of {len(work.written)}: {found!r} instead of {wanted!r}"


def artifacts(project: Project) -> dict[str, bytes]:
    runs = sorted(project.root.glob(".tracekeeper/runs/*"), key=lambda path: int(path.name))
    (path,) = runs[-1].glob("jobs/*/artifacts/artifacts.zip")
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
        return {name: archive.read(name) for name in archive.namelist() if name[-1] != "/"}


def left(project: Project) -> list[str]:
    """What is left of runs that are over."""
    things = [str(path) for path in project.home.glob("tracekeeper/builds/*/*")]
    for name in ("run.json", "payload.json"):
        things += map(str, project.root.glob(f".tracekeeper/**/{name}"))
    return things + containers(project)


def containers(project: Project) -> list[str]:
    label = f"label=tracekeeper.data={DataDirectory(project.root / '.tracekeeper').id}"
    return docker("ps", "-aq", "--filter", label).split()


def docker(*arguments: str) -> str:
    command = ["docker", "--host", ENGINE, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with jobs.project(tmp_path / "work") as made:
        yield made


@pytest.mark.timeout(3600)
def test_random_kills(project: Project, faults_full: bool, faults_seed: int) -> None:
    for number in range(FULL if faults_full else SAMPLE):
        chance = random.Random(f"{faults_seed} {number}")
        work = Work(project, chance)
        check(project, work, *killed_and_resumed(project, HOST, chance))
        assert left(project) == []


@pytest.mark.timeout(600)
@pytest.mark.parametrize("bug", PLANTED)
def test_planted_bugs_are_caught(project: Project, faults_seed: int, bug: str) -> None:
    try:
        for number in range(TRIES):
            chance = random.Random(f"{faults_seed} {bug} {number}")
            work = Work(project, chance)
            try:
                run = killed_and_resumed(project, HOST, chance, PLANTED[bug], SHOWN_BY[bug])
                check(project, work, *run)
            except (AssertionError, IndexError):
                return
    finally:
        if found := containers(project):
            docker("rm", "-fv", *found)
    pytest.fail(f"{TRIES} kills have not shown the planted bug: {bug}")
