"""`tracekeeper run` is killed or interrupted at random moments.

After a SIGKILL the next run cleans up; after up to three polite signals the run itself has.

What has to hold after every kill, and is checked with no code of the program:
- each kept trace holds, byte by byte, what the last whole line of its journal says;
- a job that has a result has the trace that the result speaks of;
- every event but a torn last one is whole; every cache that is kept can be read;
- once the next run has ended, no process, directory or torn file of the killed one is left.

The suite has to catch these planted bugs (`PLANTED`):
- the next run leaves the killed one's processes alone
- the next run leaves the killed one's checkouts where they are
- the journal is ahead of the trace: what it vouches for is still in memory
"""

import json
import os
import random
import signal
import subprocess
import sys
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

SAMPLE, FULL = 12, 300
TRIES = 30
"""So many kills may miss a planted bug."""
MOST_EVENTS = 40
LONGEST_PAUSE = 1.5

PIPELINE = """
stages: [build, test]
default: {after_script: [echo after]}
lines: {stage: build, script: [seq 1 20000, seq 1 20000 > out], artifacts: {paths: [out]}}
dots: {stage: build, script: ["for n in 1 2 3 4 5 6 7; do printf .; sleep 0.3; done"]}
daemons:
  stage: build
  script:
    - setsid sleep 6011 & nohup sleep 6011 > /dev/null & (setsid env -i sleep 6011 &)
    - sleep 1.5; echo done
caches:
  stage: build
  cache: {key: k, paths: [kept]}
  script: [mkdir -p kept, seq 1 50000 > kept/$CI_PIPELINE_ID]
later: {stage: test, parallel: 4, script: [wc -l out, sleep 0.1]}
end: {stage: test, script: [sleep 0.5], retry: 1}
"""
NEXT = "job: {script: [echo fine]}\n"

PLANTED = {
    "processes": "from tracekeeper.local import leftovers\n"
    "leftovers._end_processes = lambda marker, directory: 0\n",
    "checkouts": "from tracekeeper.local import leftovers\n"
    "leftovers.remove_tree = lambda path: None\n",
    "journal": """
from tracekeeper.runner.spool import Spool
def append(self, data):
    if not data: return
    late = _late.pop(id(self), b"")
    if late: self._write(self._trace, late)
    _late[id(self)] = data
    self.size += len(data)
def close(self):
    self._write(self._trace, _late.pop(id(self), b""))
    real(self)
_late = {}
real, Spool.append, Spool.close = Spool.close, append, close
""",
}


class Victim:
    """A checkout whose run is killed. `planted` is code that the program runs with."""

    def __init__(self, place: Path, planted: str = "") -> None:
        self.root = place / "project"
        self.home = place / "home"
        self.root.mkdir(parents=True)
        self.home.mkdir()
        (self.home / "sitecustomize.py").write_text(planted)
        subprocess.run(["git", "init", "-q", str(self.root)], check=True)

    @property
    def data(self) -> Path:
        return self.root / ".tracekeeper"

    def start(self, pipeline: str) -> subprocess.Popen[bytes]:
        (self.root / ".gitlab-ci.yml").write_text(pipeline)
        command = [sys.executable, "-m", "tracekeeper", "run", "--json", "-e", "shell", "-j", "5"]
        return subprocess.Popen(
            command,
            cwd=self.root,
            env={**os.environ, "XDG_CACHE_HOME": str(self.home), "PYTHONPATH": str(self.home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def kill(self, chance: random.Random) -> None:
        """Kill a run after a random number of events and a random pause."""
        with self.start(PIPELINE) as process:
            assert process.stdout is not None
            for _ in range(chance.randrange(MOST_EVENTS)):
                if not process.stdout.readline():
                    break
            try:
                process.wait(chance.uniform(0, LONGEST_PAUSE))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
            rest = process.stdout.read()
        assert process.returncode in (0, -signal.SIGKILL), rest

    def interrupt(self, chance: random.Random) -> int:
        """Interrupt a run up to three times; its exit status, negative if that was after its end
        (only the showing is cut short then)."""
        with self.start(PIPELINE) as process:
            assert process.stdout is not None
            for _ in range(chance.randrange(1, MOST_EVENTS)):
                process.stdout.readline()
            for _ in range(chance.randint(1, 3)):
                with suppress(subprocess.TimeoutExpired):
                    process.wait(chance.choice((0, 0.001, 0.1, 1)) * chance.random())
                    break
                process.send_signal(chance.choice((signal.SIGINT, signal.SIGTERM, signal.SIGHUP)))
            assert b"Traceback" not in process.stdout.read()
        return process.returncode

    def last_events(self) -> list[dict[str, Any]]:
        """The events of the newest run, as they are kept."""
        runs = sorted(self.data.glob("runs/*/events.jsonl"), key=lambda p: int(p.parent.name))
        return [json.loads(line) for line in runs[-1].read_bytes().splitlines()]

    def next_run(self) -> bytes:
        """What a run says that goes well."""
        with self.start(NEXT) as process:
            output = process.communicate(timeout=60)[0]
        assert b"Traceback" not in output, output
        assert process.returncode == 0, output
        return output

    def left(self) -> list[str]:
        """Processes and directories of runs that are over."""
        builds = [str(path) for path in self.home.glob("tracekeeper/builds/*/*")]
        partial = [str(path) for path in self.data.rglob("*.partial")]
        return builds + partial + [f"process {pid}" for pid in self._processes()]

    def _processes(self) -> list[int]:
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                place = os.readlink(process / "cwd")
                environment = (process / "environ").read_bytes()
            except OSError:
                continue
            ours = f"TRACEKEEPER_JOB={self._id}/".encode() in environment
            if ours or place.startswith(f"{self.home}/"):
                found.append(int(process.name))
        return found

    @property
    def _id(self) -> str:
        return (self.data / "id").read_text().strip() if (self.data / "id").exists() else "none"

    def check_what_is_kept(self) -> None:
        for job in self.data.glob("runs/*/jobs/*"):
            check_trace(job)
        for events in self.data.glob("runs/*/events.jsonl"):
            *whole, _torn = events.read_bytes().split(b"\n")
            assert all("type" in json.loads(line) for line in whole)
        for cache in self.data.glob("cache/*.zip"):
            assert zipfile.ZipFile(cache).testzip() is None

    def clean(self) -> None:
        for pid in self._processes():
            os.kill(pid, signal.SIGKILL)


def check_trace(job: Path) -> None:
    journal = job / "journal"
    whole = journal.read_bytes().split(b"\n")[:-1] if journal.exists() else []
    if whole:
        size, crc, *_ = json.loads(whole[-1])
        trace = (job / "trace").read_bytes()
        assert zlib.crc32(trace[:size]) == crc, f"{job.name}: the journal is ahead of the trace"
    if (job / "result.json").exists():
        last = json.loads((job / "result.json").read_bytes())["ledger"]["hops"][-1]
        trace = (job / "trace").read_bytes()
        assert (len(trace), zlib.crc32(trace)) == (last["bytes"], last["crc"])


def kill_and_clean_up(victim: Victim, chance: random.Random) -> None:
    victim.kill(chance)
    victim.check_what_is_kept()
    said = victim.next_run()
    assert victim.left() == [], said
    victim.check_what_is_kept()


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
@pytest.mark.timeout(3600)
def test_random_kills(tmp_path: Path, faults_full: bool, faults_seed: int) -> None:
    victim = Victim(tmp_path)
    try:
        for n in range(FULL if faults_full else SAMPLE):
            kill_and_clean_up(victim, random.Random(f"{faults_seed} {n}"))
    finally:
        victim.clean()


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
@pytest.mark.timeout(3600)
def test_random_interrupts(tmp_path: Path, faults_full: bool, faults_seed: int) -> None:
    victim = Victim(tmp_path)
    try:
        for n in range(FULL if faults_full else SAMPLE):
            code = victim.interrupt(random.Random(f"{faults_seed} {n}"))
            victim.check_what_is_kept()
            assert victim.left() == []
            check_events(code, victim.last_events())
    finally:
        victim.clean()


def check_events(code: int, events: list[dict[str, Any]]) -> None:
    """Every job that began has ended, and the end is told."""
    last = events[-1]
    assert last["type"] == "run_finished"
    assert last["exit_code"] in (0, 130)
    assert code == last["exit_code"] or code < 0
    began = [event["job"] for event in events if event["type"] == "job_started"]
    ended = [event["job"] for event in events if event["type"] == "job_finished"]
    assert sorted(began) == sorted(ended)
    statuses = {
        e["name"]: e["status"] for e in events if e["type"] in {"job_status", "job_finished"}
    }
    assert set(statuses) == {job["name"] for job in events[0]["jobs"]}
    assert set(statuses.values()) <= {"success", "canceled"}, events


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
@pytest.mark.parametrize("bug", PLANTED)
def test_planted_bugs_are_caught(tmp_path: Path, faults_seed: int, bug: str) -> None:
    victim = Victim(tmp_path, PLANTED[bug])
    try:
        for n in range(TRIES):
            try:
                kill_and_clean_up(victim, random.Random(f"{faults_seed} {bug} {n}"))
            except AssertionError:
                return
    finally:
        victim.clean()
    pytest.fail(f"{TRIES} kills have not shown the planted bug: {bug}")
