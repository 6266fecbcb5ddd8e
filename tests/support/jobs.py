"""Runs of the real program in a project of their own, on an engine that the test chooses.

The `Host` is given as it is, past the command line, so that patience and keepalives can be scaled;
and a run can be made with a planted bug: code that is executed before the program.
"""

import json
import os
import re
import signal
import subprocess
import sys
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from tracekeeper.engine.host import Host
from tracekeeper.local.data import JOBS_PER_RUN

TIME_LIMIT = 180.0
HEADER = re.compile(rb"^(.{27}) ([0-9a-f]{2})[OE]([ +])", re.DOTALL)
MARKER = re.compile(rb"\x1etracekeeper-end:[0-9a-f]{32}:\d{1,3}\n")
COMMAND = re.compile(rb"\x1b\[32;1m\$ [^\x1b]*\x1b\[0;m\n")
Event = dict[str, Any]

_PROGRAM = """
import sys, msgspec
from tracekeeper.engine import hosts
from tracekeeper.engine.host import Host
host = msgspec.json.decode(sys.argv.pop(1), type=Host)
hosts.find_host = lambda *_args, **_options: host
from tracekeeper.__main__ import main
sys.exit(main())
"""


class Job(msgspec.Struct, frozen=True):
    """How a job ended. `output` is what its scripts wrote, `notes` what the runner said, both as
    the kept trace has them."""

    status: str
    reason: str
    message: str
    verdict: str
    verdict_reason: str
    exit_code: int | None
    output: bytes
    notes: str

    @property
    def written(self) -> bytes:
        """`output` without the commands that are shown before they run."""
        return COMMAND.sub(b"", self.output)

    @property
    def is_green(self) -> bool:
        return self.status == "success"

    @property
    def is_loud(self) -> bool:
        """Whether nobody can take the job for a good one: it failed, says why, and its trace is
        not called proven unless it is the script that failed."""
        return self.status == "failed" and bool(self.message) and self.verdict != "proven"


class Run:
    """A `tracekeeper run --json` that goes on, or has ended."""

    def __init__(self, root: Path, process: subprocess.Popen[bytes], errors: Path) -> None:
        self.root = root
        self.process = process
        self._errors = errors
        self.events: list[Event] = []

    def until(self, text: str) -> "Run":
        """Read events until a job has written, previewed or been told `text`."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append(json.loads(line))
            if text in str(self.events[-1].get("text", "")):
                return self
        raise AssertionError(f"{text!r} never came: {self.events} {self.errors}")

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> "Run":
        """Wait for the end of the program."""
        rest, _ = self.process.communicate(timeout=TIME_LIMIT)
        self.events += [json.loads(line) for line in rest.splitlines()]
        assert "Traceback" not in self.errors, self.errors
        return self

    @property
    def errors(self) -> str:
        return self._errors.read_text(errors="replace")

    @property
    def code(self) -> int:
        return self.process.returncode

    @property
    def warnings(self) -> list[str]:
        return [event["message"] for event in self.events if event["type"] == "warning"]

    def job(self, name: str = "job") -> Job:
        """How the last attempt at a job ended, once the run has."""
        ends = [*self.events[0].get("finished", ()), *self.events]
        told = [e for e in ends if e["type"] == "job_finished" and e["name"] == name][-1]
        jobs = self.root / ".tracekeeper" / "runs" / str(self.events[0]["run"]) / "jobs"
        data = (jobs / f"{told['job'] % JOBS_PER_RUN}-{name}" / "trace").read_bytes()
        assert told["checksum"] in ("", f"crc32:{zlib.crc32(data):08x}"), "not the trace it says"
        return Job(
            status=told["status"],
            reason=told["failure_reason"],
            message=told["message"],
            verdict=told["verdict"],
            verdict_reason=told["verdict_reason"],
            exit_code=told["exit_code"],
            output=stream(data, b"01"),
            notes=stream(data, b"00").decode(errors="replace"),
        )


class Project:
    """A project whose pipeline runs on `host`. Make it with `project`."""

    def __init__(self, place: Path) -> None:
        self.root = place / "project"
        self.home = place / "home"
        self.runs: list[Run] = []
        self.root.mkdir(parents=True)
        self.home.mkdir()
        subprocess.run(["git", "init", "-q", str(self.root)], check=True)

    def start(self, host: Host, pipeline: str, *arguments: str, planted: str = "") -> Run:
        """Start a run of `pipeline`."""
        (self.root / ".gitlab-ci.yml").write_text(pipeline)
        return self._start(host, "-e", "docker", *arguments, planted=planted)

    def resume(self, host: Host, *arguments: str, planted: str = "") -> Run:
        """Take up the newest run that was killed."""
        return self._start(host, "--resume", *arguments, planted=planted)

    def _start(self, host: Host, *arguments: str, planted: str) -> Run:
        errors = self.home / f"stderr-{len(self.runs)}"
        command = [sys.executable, "-c", planted + _PROGRAM, msgspec.json.encode(host).decode()]
        with errors.open("wb") as stderr:
            process = subprocess.Popen(
                [*command, "run", "--json", *arguments],
                cwd=self.root,
                env={**os.environ, "XDG_CACHE_HOME": str(self.home)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
            )
        self.runs.append(Run(self.root, process, errors))
        return self.runs[-1]

    def run(self, host: Host, pipeline: str, *arguments: str, planted: str = "") -> Run:
        """Run `pipeline` to its end."""
        return self.start(host, pipeline, *arguments, planted=planted).end()


@contextmanager
def project(place: Path) -> Iterator[Project]:
    """A project in the new directory `place`; no run in it goes on afterwards."""
    made = Project(place)
    try:
        yield made
    finally:
        for run in made.runs:
            run.process.kill()
            run.process.wait()
            if run.process.stdout is not None:
                run.process.stdout.close()


def stream(trace: bytes, wanted: bytes) -> bytes:
    """What one stream of a trace was given: headers and added newlines gone, by the description
    of the format alone (GitLab docs, FF_TIMESTAMPS)."""
    parts: list[bytes] = []
    for line in trace.splitlines(keepends=True) if b"\r" not in trace else _lines(trace):
        found = HEADER.match(line)
        assert found, line[:80]
        if found[2] != wanted:
            continue
        if found[3] == b"+" and parts:
            parts[-1] = parts[-1].removesuffix(b"\n")
        parts.append(line[32:])
    return b"".join(parts)


def _lines(trace: bytes) -> list[bytes]:
    return re.findall(rb"[^\n]*\n|[^\n]+", trace)


def job_yaml(script: str, **more: object) -> str:
    """A pipeline of one job, named job, in busybox. `more` are further keys of it."""
    job: Mapping[str, object] = {"image": "busybox:latest", "script": [script], **more}
    return json.dumps({"job": job})
