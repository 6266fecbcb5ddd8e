"""`tracekeeper debug`: a shell in the container of a job that runs, or that was kept.

A kept container has ended, and its command cannot be changed: it always runs the dispatcher. So
it is given one more step, which waits, and the shell is an exec beside it.
"""

import secrets
import shlex
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Literal

import msgspec

from tracekeeper.engine.client import Engine
from tracekeeper.engine.errors import EngineRefused
from tracekeeper.engine.host import Host
from tracekeeper.engine.models import Container
from tracekeeper.engine.terminal import Show, join_streams
from tracekeeper.errors import EngineError, UsageError
from tracekeeper.local.data import DataDirectory
from tracekeeper.local.leftovers import is_followed
from tracekeeper.local.logs import KeptLog, kept_logs, logs_of
from tracekeeper.runner.executors import dispatcher
from tracekeeper.runner.executors.leftovers import (
    DATA_LABEL,
    JOB_LABEL,
    ROLE_LABEL,
    remove_job,
)

HOLD = b"exec sleep 86400\n"
"""The step of a container that only has to be there. It ends by itself should nobody end it."""

SHELL = ("sh", "-c", "if command -v bash >/dev/null 2>&1; then exec bash; else exec sh; fi")
"""bash if the image has it, as for a job's scripts."""


class Target(msgspec.Struct, frozen=True):
    """A job whose container there is, or should be, at `host`."""

    log: KeptLog
    host: Host
    state: Literal["kept", "running", "killed"]
    """*killed*: the run is gone and has left the container."""


class Streams(msgspec.Struct, frozen=True):
    """What the shell is joined to; `terminal` is a descriptor, None where there is none."""

    stdin: int
    show: Show
    terminal: int | None = None
    term: str = ""


def find_target(data: DataDirectory, job: str, *, run: int = 0) -> Target:
    """The newest run's `job` that runs in a container or was kept. Raises UsageError."""
    kept_logs(data, job=job, run=run)
    for directory in [data.run(run)] if run else reversed(data.runs()):
        found = list(_targets(logs_of(directory, job)))
        if len(found) > 1:
            names = ", ".join(f"'{target.log.name}'" for target in found)
            raise UsageError(f"'{job}' is several jobs", hint=f"name one of them: {names}")
        if found:
            return found[0]
    raise UsageError(
        f"'{job}' does not run in a container now, and none of it is kept",
        hint="`tracekeeper run --keep-containers failed` keeps the containers of failed jobs;"
        " those of the shell executor have none",
    )


def _targets(logs: Sequence[KeptLog]) -> Iterator[Target]:
    for log in logs:
        if (host := log.directory.kept) is not None:
            yield Target(log, host, "kept")
        elif (host := log.run.engine) is None:
            continue
        elif log.grows():
            yield Target(log, host, "running")
        elif is_followed(log.directory):
            yield Target(log, host, "killed")


async def debug(
    data: DataDirectory, target: Target, command: Sequence[str], streams: Streams
) -> int:
    """Run `command` in the job's container, with its environment, in its project directory; the
    exit status. Raises UsageError where the container is not to be had, CommandNotStarted where
    it lacks `command`, EngineError."""
    async with await Engine.connect(_patient(target.host, streams)) as engine:
        container = await _container(engine, data, target)
        if not container.state.running:
            await _hold(engine, container, target)
        try:
            return await _run(engine, container, command, streams)
        finally:
            if target.state == "kept":
                await _let_go(engine, container)


async def remove_kept(data: DataDirectory, job: str, *, run: int = 0) -> int:
    """Remove all that is kept of `job` in one run or in all; how many shells end with it.

    Raises UsageError where nothing is, EngineError.
    """
    kept_logs(data, job=job, run=run)
    runs = [data.run(run)] if run else data.runs()
    found = [log for directory in runs for log in logs_of(directory, job, every_attempt=True)]
    kept = [(log.directory, host) for log in found if (host := log.directory.kept) is not None]
    if not kept:
        raise UsageError(f"nothing of '{job}' is kept")
    shells = 0
    for directory, host in kept:
        async with await Engine.connect(host) as engine:
            for container in await engine.containers.list(*_labels(data, directory.job_id)):
                shells += len((await engine.containers.inspect(container.id)).exec_ids or ())
            await remove_job(engine, data.id, directory.job_id)
        directory.forget_kept()
    return shells


def _patient(host: Host, streams: Streams) -> Host:
    """`host`, whose connections bear that a command takes nothing from its stdin for long: data
    that waits for a full peer counts as unacknowledged (tcp(7), TCP_USER_TIMEOUT)."""
    if host.keepalive is None or streams.terminal is not None:
        return host
    keepalive = msgspec.structs.replace(host.keepalive, user_timeout=0)
    return msgspec.structs.replace(host, keepalive=keepalive)


async def _container(engine: Engine, data: DataDirectory, target: Target) -> Container:
    found = await engine.containers.list(*_labels(data, target.log.directory.job_id))
    if found:
        return await engine.containers.inspect(found[0].id)
    name, url = target.log.name, engine.url
    if target.state == "killed":
        raise UsageError(f"the container of '{name}' is not there any more", hint=_take_up(target))
    if target.state == "kept":
        raise UsageError(
            f"the container of '{name}' was kept at {url}, and is not there any more",
            hint=f"`tracekeeper debug --remove {shlex.quote(name)}` forgets it",
        )
    raise UsageError(
        f"'{name}' has no container at {url}: it runs on this machine, or its container is not"
        " made yet"
    )


def _labels(data: DataDirectory, job_id: int) -> list[str]:
    """Those of the container in which the job's scripts run."""
    labels = {DATA_LABEL: data.id, JOB_LABEL: str(job_id), ROLE_LABEL: "job"}
    return [f"{key}={value}" for key, value in labels.items()]


async def _hold(engine: Engine, container: Container, target: Target) -> None:
    """Start a kept container again, to be there and nothing else."""
    if target.state == "killed":
        raise UsageError(
            f"the container of '{target.log.name}' has ended meanwhile", hint=_take_up(target)
        )
    if target.state == "running":
        raise UsageError(
            f"the container of '{target.log.name}' does not run now: its job is between two steps",
            hint="try again in a moment",
        )
    step = dispatcher.step_archive(HOLD, secrets.token_hex(16))
    await engine.containers.put_archive(container.id, "/", _once(step))
    try:
        await engine.containers.start(container.id)
    except EngineRefused as error:
        raise EngineError(
            f"the kept container of '{target.log.name}' cannot be started: {error.reason}"
        ) from error


def _take_up(target: Target) -> str:
    return f"run {target.log.run.number} was killed: `tracekeeper run --resume` takes it up"


async def _run(
    engine: Engine, container: Container, command: Sequence[str], streams: Streams
) -> int:
    exec_id = await engine.execs.create(
        container.id,
        command,
        tty=streams.terminal is not None,
        stdin=True,
        directory=container.config.variables.get("CI_PROJECT_DIR", ""),
        environment={"TERM": streams.term} if streams.term else None,
    )
    return await join_streams(
        engine.execs, exec_id, stdin=streams.stdin, show=streams.show, terminal=streams.terminal
    )


async def _let_go(engine: Engine, container: Container) -> None:
    """Stop a kept container again, unless somebody else has a shell in it."""
    state = await engine.containers.inspect(container.id)
    if not state.exec_ids:
        await engine.containers.kill(container.id)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
