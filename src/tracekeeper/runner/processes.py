"""A job's processes on this machine: started in a session of their own, and none left behind.

A script may fork, call setsid or daemonise. Two things find what it left: on Linux this process
is the *subreaper* of all its descendants (prctl(2), PR_SET_CHILD_SUBREAPER), so an orphan becomes
our child; and every process of a job carries `MARKER` in its environment, so a later run can find
what a killed one left. One that hid both its session and its environment is still known by where
it works and by the pipe it writes to. Elsewhere only the process group is known.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import msgspec

MARKER = "TRACEKEEPER_JOB"
"""Environment variable that names the job a process belongs to: ``<data id>/<run>/<job>``."""

PR_SET_CHILD_SUBREAPER = 36
LINUX = sys.platform == "linux"
POLL = 0.005
"""Seconds between looks at processes that are being ended."""


class Trail(msgspec.Struct, frozen=True):
    """What the processes of one script are known by: the session `group` that its shell leads,
    the job's `marker`, its `directory`, and its output (``pipe:[…]``, as /proc shows it)."""

    group: int
    marker: str
    directory: str
    output: str = ""


def become_subreaper() -> bool:
    """Make this process adopt orphaned descendants. False where the system has no such thing."""
    if not LINUX:
        return False
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def children(pid: int) -> list[int]:
    """The direct children of `pid`, from all its threads; empty where it is gone."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            found += map(int, _read(f"/proc/{pid}/task/{thread}/children").split())
    return found


def descendants(roots: Iterable[int]) -> Iterator[int]:
    """`roots` and everything below them, parents first."""
    stack = list(roots)
    while stack:
        pid = stack.pop()
        yield pid
        stack += children(pid)


def marked(pid: int, marker: str) -> bool:
    """Whether `pid` was started with `MARKER` at `marker`, or below it (``marker/…``)."""
    environment = _read(f"/proc/{pid}/environ").split(b"\0")
    exact = f"{MARKER}={marker}".encode()
    return any(entry == exact or entry.startswith(exact + b"/") for entry in environment)


def marked_anywhere(marker: str) -> list[int]:
    """Every process of this machine that carries `marker`, ours excepted."""
    if not LINUX:
        return []
    pids = (int(name) for name in os.listdir("/proc") if name.isdigit())
    return [pid for pid in pids if pid != os.getpid() and marked(pid, marker)]


def working_in(directory: Path) -> list[int]:
    """Every process of this machine, ours excepted, whose working directory is in `directory`."""
    if not LINUX:
        return []
    pids = (int(name) for name in os.listdir("/proc") if name.isdigit())
    return [pid for pid in pids if pid != os.getpid() and _works_in(pid, str(directory))]


def left_by(trail: Trail) -> list[int]:
    """Living processes that a script left: orphans that we adopted and that its `trail` leads to,
    and all below them. Where there is no subreaper: the group (a negative number)."""
    if not LINUX:
        return [-trail.group] if _group_lives(trail.group) else []
    adopted = (pid for pid in children(os.getpid()) if pid != trail.group)
    ours = [pid for pid in adopted if _leads_to(trail, pid)]
    return [pid for pid in descendants(ours) if not _reap(pid)]


def _leads_to(trail: Trail, pid: int) -> bool:
    if session(pid) == trail.group or marked(pid, trail.marker):
        return True
    if session(pid) == os.getsid(0):
        return False  # a program that we run ourselves
    return _works_in(pid, trail.directory) or _holds(pid, trail.output)


def _works_in(pid: int, directory: str) -> bool:
    with contextlib.suppress(OSError):
        return f"{os.readlink(f'/proc/{pid}/cwd')}/".startswith(f"{directory}/")
    return False


def _holds(pid: int, output: str) -> bool:
    """Whether `pid` has the file `output` open."""
    with contextlib.suppress(OSError):
        for descriptor in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{pid}/fd/{descriptor}") == output:
                    return True
    return False


def exists(pid: int) -> bool:
    """Whether there is a process `pid`, whosoever it is."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def session(pid: int) -> int:
    """The session id of `pid`, 0 where it is gone."""
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0


def group(pid: int) -> int:
    """The process group of `pid`, 0 where it is gone."""
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


def end_strays(*, but: Collection[int], patience: float = 5.0) -> list[int]:
    """Kill and reap our children, all but `but`: orphans that we adopted and nobody claimed, such
    as a daemon that hid whatever it could be known by. Blocks, for `patience` seconds at most;
    returns those that would not go, since they belong to another user."""
    if not LINUX:
        return []
    deadline = time.monotonic() + patience
    while strays := [pid for pid in children(os.getpid()) if pid not in but and not _reap(pid)]:
        if time.monotonic() > deadline:
            return strays
        stop(list(descendants(strays)), signal.SIGKILL)  # first all are found: the dead lose theirs
        time.sleep(POLL)
    return []


def stop(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to each process that still exists (a negative pid means a group)."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def stop_group(group: int, number: signal.Signals) -> None:
    """Send a signal to a whole process group, if it still exists."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _reap(pid: int) -> bool:
    """Collect `pid` if it is a zombie child of ours; True when it is gone."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return not os.path.exists(f"/proc/{pid}")


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
