"""What a job's container runs: a dispatcher that runs the step file it finds, then says so. Pure.

The command of a container cannot be changed between two starts, so it always runs the dispatcher;
the step and its nonce are files that are put in before each start. The dispatcher is for any
POSIX shell and runs the step with bash if the image has it, as gitlab-runner does.

The step runs in the foreground: a shell starts background commands with SIGINT ignored, and a
program that a job tests would notice.
"""

from collections.abc import Iterable
from tarfile import DIRTYPE, REGTYPE, USTAR_FORMAT, TarInfo

DIRECTORY = "/.tracekeeper"
BEGUN = f"{DIRECTORY}/begun"
"""A file that is there once the dispatcher has run: the image's entrypoint did its part."""

COMMAND = ("sh", f"{DIRECTORY}/dispatcher")
"""The container's Cmd."""

DISPATCHER = rf"""exec 2>&1 </dev/null
trap : TERM
(: >{BEGUN}) 2>/dev/null
unset tracekeeper_nonce tracekeeper_shell tracekeeper_status
tracekeeper_shell=sh
command -v bash >/dev/null 2>&1 && tracekeeper_shell=bash
read -r tracekeeper_nonce <{DIRECTORY}/nonce || exit
(: >{DIRECTORY}/nonce) 2>/dev/null
"$tracekeeper_shell" {DIRECTORY}/step
tracekeeper_status=$?
printf '\036tracekeeper-end:%s:%s\n' "$tracekeeper_nonce" "$tracekeeper_status"
exit "$tracekeeper_status"
"""
"""`trap` keeps a dispatcher alive that is not process 1 of its container.

The nonce is there for one start, so a container that somebody restarts does not run its step again.
No variable of a job has these names, or it would carry them into the step's environment. A step
that digs the nonce out of this shell's memory may write an end marker; it cannot choose the
container's exit status with it, and the two are compared."""

TERMINATE = ("sh", "-c", "kill -TERM -1")
"""Sends SIGTERM to every process of the container but process 1 (kill(2))."""


def step_archive(script: bytes, nonce: str) -> bytes:
    """A tar for ``/`` with the next step."""
    return step_members(script, nonce) + bytes(1024)


def step_members(script: bytes, nonce: str) -> bytes:
    """The next step as the beginning of a tar. Readable for the user of any image."""
    files = ((f"{DIRECTORY}/step", script), (f"{DIRECTORY}/nonce", f"{nonce}\n".encode()))
    return _members((_file(name, data), data) for name, data in files)


def first_members(*directories: str) -> bytes:
    """The beginning of a tar for ``/``: the dispatcher, and directories that any user may write
    to. Another tar is to follow: an upload of their own would cost as much as a file system's
    mount."""
    data = DISPATCHER.encode()
    made = [(_directory(path), b"") for path in (DIRECTORY, *directories)]
    return _members([*made, (_file(f"{DIRECTORY}/dispatcher", data), data)])


def _file(path: str, data: bytes) -> TarInfo:
    info = TarInfo(path.lstrip("/"))
    info.type, info.mode, info.size = REGTYPE, 0o666, len(data)
    return info


def _directory(path: str) -> TarInfo:
    info = TarInfo(path.lstrip("/"))
    info.type, info.mode = DIRTYPE, 0o777
    return info


def _members(members: Iterable[tuple[TarInfo, bytes]]) -> bytes:
    return b"".join(
        info.tobuf(USTAR_FORMAT) + data + bytes(-len(data) % 512) for info, data in members
    )
