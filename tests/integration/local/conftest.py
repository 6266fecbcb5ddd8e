"""Runs of the real program, as a subprocess, in a git checkout of their own."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tracekeeper.local.data import DataDirectory, RunDirectory

TIME_LIMIT = 60
Event = dict[str, Any]


class Run:
    """A `tracekeeper run` that goes on, or has ended. Its `events`, or the lines it `printed`."""

    def __init__(self, process: subprocess.Popen[bytes], *, json: bool) -> None:
        self.process = process
        self._json = json
        self.printed: list[str] = []
        self.events: list[Event] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait(self, condition: Callable[[], bool]) -> None:
        """Wait until what has come fulfils `condition`."""
        with self._news:
            assert self._news.wait_for(lambda: condition() or not self.alive, TIME_LIMIT)
            assert condition(), (self.events, self.printed)

    def until(self, wanted: Callable[[Event], bool]) -> None:
        """Wait for an event, whenever it came."""
        self.wait(lambda: any(map(wanted, self.events)))

    def until_output(self, text: str, *, count: int = 1) -> None:
        """Wait until jobs have written `text` so often."""
        self.wait(lambda: self.output().count(text) >= count)

    def signal(self, number: signal.Signals, *, group: bool = False) -> None:
        """Send a signal to the program; with `group` as a terminal does, to what it runs too."""
        (os.killpg if group else os.kill)(self.process.pid, number)

    def end(self) -> "Run":
        """Wait for the end of the program."""
        self.process.wait(TIME_LIMIT)
        self._reader.join(TIME_LIMIT)
        return self

    @property
    def alive(self) -> bool:
        return self._reader.is_alive()

    @property
    def code(self) -> int:
        return self.end().process.returncode

    @property
    def errors(self) -> str:
        self.end()
        assert self.process.stderr is not None
        self.process.stderr.seek(0)
        return self.process.stderr.read().decode()

    def of_type(self, kind: str) -> list[Event]:
        return [event for event in self.events if event["type"] == kind]

    def finished(self, job: str = "job") -> Event:
        """The last `job_finished` of a job."""
        return next(e for e in reversed(self.of_type("job_finished")) if e["name"] == job)

    @property
    def results(self) -> dict[str, str]:
        """The status in which each job ended, its failure reason if it has one."""
        ends = {e["name"]: e["failure_reason"] or e["status"] for e in self.of_type("job_finished")}
        return {e["name"]: e["status"] for e in self.of_type("job_status")} | ends

    def output(self, job: str | None = None) -> str:
        """What jobs wrote; what is only previewed at its end."""
        told = [e for e in list(self.events) if e["type"] in {"output", "preview"}]
        told = [e for e in told if job in {None, e["name"]}]
        return "".join(e["text"] for e in told if e["type"] == "output" or e is told[-1])

    def lines(self, job: str = "job") -> list[str]:
        """The finished lines of a job."""
        texts = [e["text"] for e in self.of_type("output") if e["name"] == job]
        return "".join(texts).splitlines()

    @property
    def warnings(self) -> list[str]:
        return [event["message"] for event in self.of_type("warning")]

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                if self._json:
                    self.events.append(json.loads(line))
                else:
                    self.printed.append(line.decode())
                self._news.notify_all()
        with self._news:
            self._news.notify_all()


class Checkout:
    """A git checkout with a pipeline file, and the runs that are made in it."""

    def __init__(self, root: Path, home: Path) -> None:
        self.root = root
        self.home = home
        self.runs: list[Run] = []
        root.mkdir()
        home.mkdir()
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "A")
        self.git("config", "user.email", "a@example.org")

    def git(self, *arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=self.root, capture_output=True, text=True, check=True
        ).stdout

    def write(self, path: str, content: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(content)

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "state")

    def pipeline(self, text: str) -> None:
        self.write(".gitlab-ci.yml", text)
        self.commit()

    def start(
        self, *arguments: str, environment: Mapping[str, str] | None = None, json: bool = True
    ) -> Run:
        """Start `tracekeeper run`; the shell executor, unless `arguments` say otherwise."""
        command = [sys.executable, "-m", "tracekeeper", "run", *(["--json"] if json else [])]
        with (self.home / f"stderr-{len(self.runs)}").open("w+b") as errors:
            process = subprocess.Popen(
                [*command, "-e", "shell", *arguments],
                cwd=self.root,
                env={**os.environ, "XDG_CACHE_HOME": str(self.home), **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
            process.stderr = (self.home / f"stderr-{len(self.runs)}").open("rb")
        run = Run(process, json=json)
        self.runs.append(run)
        return run

    def run(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Run:
        """Run the pipeline to its end."""
        return self.start(*arguments, environment=environment).end()

    @property
    def builds(self) -> list[str]:
        """What is left where jobs have their checkouts."""
        top = self.home / "tracekeeper" / "builds"
        return sorted(str(path.relative_to(top)) for path in top.glob("*/*"))

    @property
    def data(self) -> DataDirectory:
        return DataDirectory(self.root / ".tracekeeper")

    def kept(self, number: int = 1) -> RunDirectory:
        return self.data.run(number)

    def state(self) -> dict[str, tuple[str, int, str]]:
        """Everything in the working tree: mode, time of change and hash, git's own files too.

        Without the times of git's objects: git renews them where it finds what it would write."""
        return {
            str(path.relative_to(self.root)): (
                oct(path.lstat().st_mode),
                0 if "objects" in path.parts else path.lstat().st_mtime_ns,
                hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
            )
            for path in sorted(self.root.rglob("*"))
            if ".tracekeeper" not in path.parts and path != self.root / ".git"
        }


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    """An empty checkout; no run in it may leave a process or a directory behind."""
    checkout = Checkout(tmp_path / "project", tmp_path / "home")
    yield checkout
    for run in checkout.runs:
        if run.process.poll() is None:
            run.process.kill()
        run.end()
        assert run.process.stdout is not None
        assert run.process.stderr is not None
        run.process.stdout.close()
        run.process.stderr.close()
