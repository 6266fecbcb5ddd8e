"""The daemon is restarted under a job: politely or by kill -9, with and without live-restore.

A job writes steadily, or waits at a prompt, or ends while nobody is there to read it. Whatever the
daemon loses of that, no job is green unless its trace is all that the script wrote: what it wrote
is known beforehand, for the daemon's own log may be the one that is short.

The suite has to catch these planted bugs (`PLANTED`):
- nobody asks whether the engine was restarted
- a log that ends without the end marker is a whole one
- an engine that cannot be asked is taken for a container that has ended, and the log for read
"""

import random
import time
from itertools import product
from typing import Literal, TypeAlias

import pytest
from tests.support import machine
from tests.support.jobs import Job, Project, job_yaml
from tests.support.machine import Machine

from tracekeeper.engine.host import Host

pytestmark = [pytest.mark.docker, pytest.mark.root, pytest.mark.timeout(3600)]

Scene: TypeAlias = Literal["steady", "prompt", "ends"]

SAMPLE = 3
ROUNDS = 3
LINES = 3000

STEADY = f"""\
i=0
while [ $i -lt {LINES} ]; do
  echo line $i
  i=$((i + 1))
  [ $((i % 20)) != 0 ] || sleep 0.02
done"""
SCRIPTS: dict[Scene, tuple[str, str, str]] = {
    "steady": (STEADY, "line 40\n", "".join(f"line {n}\n" for n in range(LINES))),
    "prompt": (
        "echo begin; sleep 1.2; printf 'prompt? '; sleep 3; echo answer",
        "begin\n",
        "begin\nprompt? answer\n",
    ),
    "ends": (
        "seq 1 500; sleep 1.5; seq 501 1000; printf unfinished",
        "500\n",
        "".join(f"{n}\n" for n in range(1, 1001)) + "unfinished",
    ),
}
"""A script, what it has written when the trouble begins, and all that it writes."""


PLANTED: dict[str, tuple[Scene, str]] = {
    "never restarted": (
        "prompt",
        """
from tracekeeper.engine.containers import Containers
from tracekeeper.runner.executors.canary import Canary
async def untold(self): return None
async def yes(*_): return True
Canary.tells, Containers.remembers_start = untold, yes
""",
    ),
    "no end marker": (
        "ends",
        """
from tracekeeper.engine.follow import Follow
Follow.doubt, Follow.exit_status = property(lambda self: ""), property(lambda self: 0)
""",
    ),
    "ended": (
        "steady",
        """
from tracekeeper.engine.follow import Follow, State
real = Follow.ended
def ended(self, *, broken):
    pieces = real(self, broken=broken)
    if broken:
        self._state = State.ENDED
    return pieces
Follow.ended = ended
Follow.doubt, Follow.exit_status = property(lambda self: ""), property(lambda self: 0)
""",
    ),
}


def restarted_job(
    engine: Machine,
    project: Project,
    scene: Scene,
    chance: random.Random,
    *,
    killed: bool,
    planted: str = "",
) -> Job:
    """Run a job under which the daemon is restarted."""
    script, begun, written = SCRIPTS[scene]
    # A second witness, the attach, would give away a planted bug.
    host = Host(engine.url, patience=30, preview=False if planted else None)
    run = project.start(host, job_yaml(script), planted=planted).until(begun)
    time.sleep(chance.uniform(0, 1.5) if scene == "steady" else 1.3 if scene == "prompt" else 0.1)
    if killed:
        engine.kill()
    else:
        engine.stop()
    time.sleep(2.5 if scene == "ends" else chance.uniform(0, 0.5))
    engine.start()
    job = run.end().job()
    check(job, written.encode())
    if left := engine.left():
        assert run.warnings, left
    return job


def check(job: Job, written: bytes) -> None:
    """All that was written, or failed, in doubt, and said so."""
    got = job.written
    print(f"{len(got)} of {len(written)} bytes, {job.status}, {job.verdict}: {job.message}")
    if job.is_green:
        assert job.verdict == "proven"
        assert got == written
    else:
        assert job.is_loud, job
    if got != written:
        assert job.verdict == "unproven", job


CASES: list[tuple[Scene, bool, bool]] = list(
    product(("steady", "prompt", "ends"), (False, True), (False, True))
)


def configuration(live_restore: bool) -> dict[str, object]:
    return {"live-restore": live_restore, "shutdown-timeout": 2}


def test_restarts(project: Project, faults_full: bool, faults_seed: int) -> None:
    chance = random.Random(faults_seed)
    cases = CASES * ROUNDS if faults_full else chance.sample(CASES, SAMPLE)
    for live, chosen in ((live, [c for c in cases if c[1] is live]) for live in (False, True)):
        with machine.started(config=configuration(live)) as engine:
            for scene, _, killed in chosen:
                print(f"{scene}, live-restore {live}, {'kill -9' if killed else 'restart'}:")
                restarted_job(engine, project, scene, chance, killed=killed)
                engine.wipe()


@pytest.mark.parametrize("bug", PLANTED)
def test_planted_bugs_are_caught(project: Project, faults_seed: int, bug: str) -> None:
    scene, planted = PLANTED[bug]
    chance = random.Random(faults_seed)
    with machine.started(config=configuration(True)) as engine, pytest.raises(AssertionError):
        restarted_job(engine, project, scene, chance, killed=True, planted=planted)
