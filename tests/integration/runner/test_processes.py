"""Finding what a script left, among real processes."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tracekeeper.runner import processes
from tracekeeper.runner.processes import MARKER, Trail

pytestmark = pytest.mark.skipif(not processes.LINUX, reason="looks at /proc")

Started = subprocess.Popen[bytes]


@pytest.fixture(autouse=True)
def _reap() -> Iterator[None]:
    assert processes.become_subreaper()
    before = set(processes.children(os.getpid()))
    yield
    assert processes.end_strays(but=before) == []
    assert set(processes.children(os.getpid())) == before


def start(script: str, directory: Path, *, session: bool = True) -> Started:
    """Start a shell and wait until it has said that it is ready."""
    process = subprocess.Popen(
        ["/bin/sh", "-c", script],
        cwd=directory,
        env={"PATH": os.environ["PATH"], MARKER: "data/1/2"},
        stdout=subprocess.PIPE,
        start_new_session=session,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def trail(process: Started, directory: Path) -> Trail:
    assert process.stdout is not None
    pipe = f"pipe:[{os.fstat(process.stdout.fileno()).st_ino}]"
    return Trail(process.pid, "data/1/2", str(directory), pipe)


def end(process: Started) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


@pytest.mark.parametrize(
    "daemon",
    [
        "sleep 100 &",
        "setsid sleep 100 >/dev/null &",
        "env -i sleep 100 >/dev/null &",
        "setsid env -i sleep 100 >/dev/null &",
        "cd /; setsid env -i sleep 100 &",
        "(setsid sh -c 'sleep 100 & sleep 100' &)",
    ],
)
def test_a_daemon_is_found(tmp_path: Path, daemon: str) -> None:
    process = start(f"{daemon}\nsleep 0.2; echo ready; sleep 100", tmp_path)
    known = trail(process, tmp_path)
    process.kill()
    process.wait()
    left = processes.left_by(known)
    assert left
    processes.stop(left, signal.SIGKILL)
    while processes.left_by(known):
        os.sched_yield()
    end(process)


def test_what_others_run_is_not_touched(tmp_path: Path) -> None:
    own = start("echo ready; sleep 100", tmp_path, session=False)
    other = start("echo ready; sleep 100", tmp_path.parent)
    known = Trail(1 << 22, "data/1/3", str(tmp_path), "pipe:[0]")
    assert processes.left_by(known) == []
    processes.stop(processes.descendants([own.pid, other.pid]), signal.SIGKILL)
    end(own)
    end(other)


def test_marks(tmp_path: Path) -> None:
    process = start("echo ready; sleep 100", tmp_path)
    pid = process.pid
    assert processes.marked(pid, "data/1/2")
    assert processes.marked(pid, "data/1")
    assert processes.marked(pid, "data")
    assert not processes.marked(pid, "dat")
    assert not processes.marked(pid, "data/1/22")
    assert pid in processes.marked_anywhere("data/1")
    assert pid in processes.working_in(tmp_path)
    assert processes.working_in(tmp_path / "below") == []
    assert processes.session(pid) == processes.group(pid) == pid
    assert processes.exists(pid)
    processes.stop_group(pid, signal.SIGKILL)
    end(process)
    assert processes.session(pid) == processes.group(pid) == 0
    assert not processes.exists(pid)
    assert not processes.marked(pid, "data")
    processes.stop([pid], signal.SIGKILL)
    processes.stop_group(pid, signal.SIGKILL)


def test_strays_are_ended_with_all_below_them(tmp_path: Path) -> None:
    before = processes.children(os.getpid())
    process = start(
        "(cd /; setsid env -i sh -c 'sleep 100 & sleep 100' > /dev/null &) ; sleep 0.2; echo ready",
        tmp_path,
    )
    process.wait()
    others = {*before, *processes.descendants(before)}
    strays = set(processes.descendants(processes.children(os.getpid()))) - others
    assert len(strays) >= 2
    processes.end_strays(but=before)
    for pid in strays:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat").read_text().split()[2]
            assert state in {"Z", "X"}
    end(process)


def test_strays_that_nobody_may_end_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = processes.children(os.getpid())
    process = start("echo ready; sleep 100", tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(processes, "stop", lambda pids, number: None)
        assert processes.end_strays(but=before, patience=0.05) == [process.pid]
    end(process)
