"""`run --resume` on a remote engine, over mutual TLS and a firewall that forgets."""

import json
import random
import signal
from pathlib import Path

import pytest
from tests.support import jobs

from tracekeeper.net.lab import Lab

pytestmark = pytest.mark.root

PIPELINE = json.dumps(
    {
        "job": {
            "image": "busybox:latest",
            "script": ["for n in $(seq 1 60); do echo line $n; sleep 0.1; done", "exit 3"],
            "after_script": ["echo after"],
        }
    }
)


def test_a_killed_run_on_a_remote_engine(lab: Lab, tmp_path: Path, faults_seed: int) -> None:
    chance = random.Random(faults_seed)
    with jobs.project(tmp_path / "work") as project:
        with lab.inside():
            run = project.start(lab.host, PIPELINE)
        run.until(f"line {chance.randrange(5, 40)}\n")
        run.signal(signal.SIGKILL)
        run.process.communicate()
        lab.forget()
        with lab.inside():
            resumed = project.resume(lab.host)
        job = resumed.end().job()
    lines = [line for line in job.written.splitlines() if line.startswith(b"line ")]
    assert lines == [b"line %d" % number for number in range(1, 61)]
    assert job.written.endswith(b"after\n")
    assert (resumed.code, job.reason, job.exit_code) == (1, "script_failure", 3)
    assert job.verdict == "proven", job.verdict_reason
    assert "the run was killed, and is taken up again after" in job.notes
