"""A job's processes on this machine: started in a session of their own, and none left behind.

A script may fork, call setsid or daemonise. Two things find what it left: on Linux this process
is the *subreaper* of all its descendants (prctl(2), PR_SET_CHILD_SUBREAPER), so an orphan becomes
our child; and every process of a job carries `MARKER` in its environment, so a later run can find
what a killed one left. Elsewhere only the process group is known.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Collection, Iterable, Iterator

MARKER = "TRACEKEEPER_JOB"
"""Environment variable that names the job a process belongs to: ``<data id>/<run>/<job>``."""

PR_SET_CHILD_SUBREAPER = 36
LINUX = sys.platform == "linux"


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


def left_by(group: int, marker: str) -> list[int]:
    """Living processes that a job left: adopted orphans of its session `group` or with its
    `marker`, and all below them. Where there is no subreaper: the group (a negative number)."""
    if not LINUX:
        return [-group] if _group_lives(group) else []
    adopted = (pid for pid in children(os.getpid()) if pid != group)
    ours = [pid for pid in adopted if session(pid) == group or marked(pid, marker)]
    return [pid for pid in descendants(ours) if not _reap(pid)]


def session(pid: int) -> int:
    """The session id of `pid`, 0 where it is gone."""
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0


def end_strays(*, but: Collection[int]) -> None:
    """Kill and reap our children, all but `but`: orphans that we adopted and nobody claimed, such
    as a daemon that hid both its session and its environment."""
    if not LINUX:
        return
    for pid in set(children(os.getpid())).difference(but):
        stop(descendants([pid]), signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


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
