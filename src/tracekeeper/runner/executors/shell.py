"""The shell executor: a job's scripts run as processes on this machine.

Output is complete when the script's shell has been reaped and its pipe has reached the end: then
nobody is left who could write. Whatever a script leaves running is ended first.
"""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tracekeeper.errors import JobError
from tracekeeper.protocol.payload import Step
from tracekeeper.runner import processes
from tracekeeper.runner.executors.base import Output, Sources, StepResult
from tracekeeper.runner.pipe import PipeReader, open_pipe

GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL."""
POLL = 0.02
"""Seconds between looks at processes that are not our own children's leaders."""


class ShellExecutor:
    """Runs one job in `directory`/`project`; makes `directory` and removes it.

    `marker` names the job in the environment of its processes (see `processes.MARKER`).
    `grace` is the time in seconds that a script has between SIGTERM and SIGKILL.
    """

    name = "shell"

    def __init__(
        self,
        directory: Path,
        *,
        project: str,
        sources: Sources,
        marker: str,
        grace: float = GRACE,
    ) -> None:
        self._directory = directory
        self._project = directory / project
        self._sources = sources
        self._marker = marker
        self._grace = grace
        self._shell = shutil.which("bash") or "/bin/sh"

    @property
    def project_dir(self) -> str:
        """CI_PROJECT_DIR."""
        return str(self._project)

    async def prepare(self, output: Output) -> None:
        """Make the job's directory, empty."""
        await asyncio.to_thread(remove_tree, self._directory)
        self._directory.mkdir(parents=True)
        output.note(f"Running on {os.uname().nodename} with {self._shell}")

    async def put_sources(self, output: Output) -> None:
        """Copy the checkout to the project directory."""
        await asyncio.to_thread(self._sources.materialize, self._project)

    async def put_archive(self, archive: Path) -> None:
        """Unpack artifacts or a cache over the project directory."""
        from tracekeeper.workspace.archive import extract

        await asyncio.to_thread(extract, archive, self._project)

    async def run(self, step: Step, script: bytes, output: Output) -> StepResult:
        """Run one script; see `Executor.run`. A cancellation stops it politely, a second one
        at once."""
        path = self._directory / f"{step.name}.sh"
        path.write_bytes(script)
        read_end, write_end = open_pipe()
        reader = PipeReader(read_end, output.write)
        try:
            process = self._start(path, write_end)
        except OSError as error:
            reader.close()
            raise JobError(
                f"the shell {self._shell} cannot be started: {error.strerror}",
                reason="runner_system_failure",
            ) from error
        finally:
            os.close(write_end)
        return await self._attend(process, reader)

    @asynccontextmanager
    async def collect(self, paths: Sequence[str]) -> AsyncIterator[Path]:
        """The project directory itself; nothing is copied."""
        yield self._project

    async def cleanup(self) -> None:
        """Remove the job's directory."""
        await asyncio.to_thread(remove_tree, self._directory)

    def _start(self, script: Path, write_end: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [self._shell, str(script)],
            stdin=subprocess.DEVNULL,
            stdout=write_end,
            stderr=write_end,
            cwd=self._project,
            env={**os.environ, processes.MARKER: self._marker},
            start_new_session=True,
        )

    async def _attend(self, process: subprocess.Popen[bytes], reader: PipeReader) -> StepResult:
        exited = asyncio.create_task(_exited(process))
        try:
            waiting: set[asyncio.Future[Any]] = {exited, reader.broken}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            exited.cancel()
            complete = await self._end(process, reader)
        reader.check()
        code = process.returncode
        return StepResult(
            exit_code=code if code >= 0 else 128 - code,
            complete=complete,
            doubt="" if complete else "something the script started still holds its output open",
        )

    async def _end(self, process: subprocess.Popen[bytes], reader: PipeReader) -> bool:
        """End whatever is left of the script and read its last words; True if all were read."""
        try:
            if self._living(process):
                self._signal(process, signal.SIGTERM)
                await self._gone(process)
        finally:
            self._signal(process, signal.SIGKILL)
            process.wait()
        await self._gone(process)
        return await reader.drained(self._grace)

    def _living(self, process: subprocess.Popen[bytes]) -> list[int]:
        own = [process.pid] if process.poll() is None else []
        return own + processes.left_by(process.pid, self._marker)

    def _signal(self, process: subprocess.Popen[bytes], number: signal.Signals) -> None:
        if process.poll() is None:
            processes.stop_group(process.pid, number)
        processes.stop(processes.left_by(process.pid, self._marker), number)

    async def _gone(self, process: subprocess.Popen[bytes]) -> None:
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._grace
        while self._living(process) and clock() < deadline:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(POLL)


async def _exited(process: subprocess.Popen[bytes]) -> None:
    """Wait until `process` has ended, and reap it."""
    if not hasattr(os, "pidfd_open"):
        await asyncio.to_thread(process.wait)
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    fd = os.pidfd_open(process.pid)
    loop.add_reader(fd, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(fd)
        os.close(fd)
    process.wait()


def remove_tree(path: Path) -> None:
    """Remove a directory whatever modes its entries have; one that is not there is fine."""

    def make_writable(_function: object, name: str, _error: object) -> None:
        parent = os.path.dirname(name)
        os.chmod(parent, 0o700)
        if os.path.isdir(name) and not os.path.islink(name):
            os.chmod(name, 0o700)
            remove_tree(Path(name))
        elif os.path.lexists(name):
            os.unlink(name)

    if os.path.lexists(path):
        shutil.rmtree(path, onerror=make_writable)
