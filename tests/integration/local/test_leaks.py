"""A run in this process: no descriptor, task, child or file of its jobs outlives it."""

import asyncio
import gc
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tracekeeper import events
from tracekeeper.local.attempt import Attempt
from tracekeeper.local.project import LocalProject
from tracekeeper.local.session import RunOptions, run_pipeline
from tracekeeper.runner import processes

pytestmark = pytest.mark.skipif(not processes.LINUX, reason="looks at /proc")


class Silent:
    """A view that looks at nothing but the number of open files."""

    def __init__(self) -> None:
        self.events: list[events.Event] = []
        self.open_files: list[int] = []
        self.tasks: list[int] = []

    def event(self, event: events.Event, at: int) -> None:
        self.events.append(event)
        if isinstance(event, events.JobFinished):
            self.open_files.append(open_files())
            self.tasks.append(len(asyncio.all_tasks()))

    def follow(self, attempt: Attempt) -> None:
        pass

    def changed(self, attempt: Attempt) -> None:
        pass


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def sockets_and_files() -> list[str]:
    return sorted(
        os.readlink(f"/proc/self/fd/{fd}")
        for fd in os.listdir("/proc/self/fd")
        if os.path.lexists(f"/proc/self/fd/{fd}")
    )


@pytest.fixture
def home(checkout: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    temporary = checkout.home / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(checkout.home))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    yield checkout.home
    assert list(temporary.iterdir()) == []


def run(checkout: Any, view: Silent, jobs_at_once: int = 4) -> int:
    project = LocalProject(checkout.root)
    options = RunOptions(
        data=checkout.root / ".tracekeeper", executor="shell", jobs_at_once=jobs_at_once
    )
    return run_pipeline(project, options, view)


def test_nothing_leaks(checkout: Any, home: Path) -> None:
    checkout.pipeline("""
stages: [a, b]
job:
  stage: a
  parallel: 20
  script: [sleep 600 & echo hello > out, test $CI_NODE_INDEX != 7]
  after_script: [echo after]
  cache: {key: k, paths: [out]}
  artifacts: {paths: [out], reports: {dotenv: none.env}, when: always}
  allow_failure: true
  retry: 1
later: {stage: b, script: [cat out]}
limited: {stage: b, variables: {RUNNER_SCRIPT_TIMEOUT: 100ms}, script: [sleep 600]}
""")
    first = Silent()
    assert run(checkout, first) == 1
    gc.collect()
    before, children = sockets_and_files(), processes.children(os.getpid())
    view = Silent()
    assert run(checkout, view, jobs_at_once=1) == 1
    gc.collect()
    assert sockets_and_files() == before
    assert processes.children(os.getpid()) == children
    assert len(view.open_files) == 23
    assert max(view.open_files) - min(view.open_files) <= 2
    assert max(view.tasks) <= 3
    assert checkout.builds == []
    assert not [p for p in home.rglob("*") if p.is_file() and p.parent == home / "tmp"]


def test_interrupts_leak_nothing(checkout: Any, home: Path) -> None:
    checkout.pipeline("""
job: {parallel: 6, script: [trap '' TERM; echo ready; sleep 600; sleep 600]}
""")
    import signal

    class Impatient(Silent):
        def event(self, event: events.Event, at: int) -> None:
            super().event(event, at)
            if isinstance(event, events.JobStarted):
                os.kill(os.getpid(), signal.SIGINT)

    first = Impatient()
    assert run(checkout, first, jobs_at_once=6) == 130
    before, children = sockets_and_files(), processes.children(os.getpid())
    assert run(checkout, Impatient(), jobs_at_once=6) == 130
    assert sockets_and_files() == before
    assert processes.children(os.getpid()) == children
    assert checkout.builds == []
