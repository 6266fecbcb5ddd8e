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
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from tracekeeper.engine.tasks import in_thread, to_its_end
from tracekeeper.errors import JobError
from tracekeeper.protocol.payload import Step
from tracekeeper.runner import processes
from tracekeeper.runner.executors.base import Output, Sources, StepResult
from tracekeeper.runner.pipe import PipeReader, open_pipe
from tracekeeper.runner.processes import descendants
from tracekeeper.workspace.disk import storage_error
from tracekeeper.workspace.trees import remove_tree

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
        self.doubt = ""
        """See `Executor.doubt`."""
        self.altered = ""
        """See `Executor.altered`."""
        self._shell = shutil.which("bash") or "/bin/sh"

    @property
    def project_dir(self) -> str:
        """CI_PROJECT_DIR."""
        return str(self._project)

    @property
    def shell(self) -> str:
        """The name of the shell that runs the scripts."""
        return os.path.basename(self._shell)

    async def prepare(self, output: Output) -> None:
        """Make the job's directory; at most an earlier job's sources are in it."""
        self._directory.mkdir(parents=True, mode=0o700, exist_ok=True)
        self._directory.chmod(0o700)  # an earlier job may have closed it
        if os.listdir(self._directory):
            await in_thread(self._clear)

    async def put_sources(self, output: Output, script: bytes = b"") -> None:
        """Copy the checkout to the project directory."""
        await in_thread(self._sources.materialize, self._project)

    async def put_archive(self, archive: Path) -> None:
        """Unpack artifacts or a cache over the project directory."""
        from tracekeeper.workspace.unpack import extract

        await in_thread(extract, archive, self._project)

    async def run(self, step: Step, script: bytes, output: Output) -> StepResult:
        """Run one script; see `Executor.run`. A cancellation stops it politely, a second one
        at once."""
        path = self._directory / f"{step.name}.sh"
        write_secret(path, script)
        read_end, write_end = open_pipe()
        pipe = f"pipe:[{os.fstat(read_end).st_ino}]"
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
        trail = processes.Trail(process.pid, self._marker, str(self._directory), pipe)
        running = _Script(process, trail, reader, self._grace)
        try:
            return await running.result()
        finally:
            self.doubt = running.doubt

    @asynccontextmanager
    async def collect(self, paths: Sequence[str]) -> AsyncIterator[Path]:
        """The project directory itself; nothing is copied."""
        yield self._project

    async def cleanup(self) -> None:
        """Remove the job's files, and its directory unless the sources in it are kept."""
        await in_thread(self._remove)

    def _remove(self) -> None:
        self._sources.release(self._project)
        if self._directory.exists():
            self._clear()
        with suppress(OSError):
            self._directory.rmdir()

    def _clear(self) -> None:
        """Remove all but the sources: file variables, scripts, whatever a job left there."""
        for path in self._directory.iterdir():
            if path == self._project:
                continue
            if path.is_dir() and not path.is_symlink():
                remove_tree(path)
            else:
                path.unlink()

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


class _Script:
    """A script that runs."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        trail: processes.Trail,
        reader: PipeReader,
        grace: float,
    ) -> None:
        self._process = process
        self._trail = trail
        self._reader = reader
        self._grace = grace
        self.doubt = "the script did not run to its end"

    async def result(self) -> StepResult:
        """Wait for its end. Cancelling this ends it."""
        exited = asyncio.create_task(_exited(self._process))
        try:
            waiting: set[asyncio.Future[Any]] = {exited, self._reader.broken}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            exited.cancel()
            await self._end()
        self._reader.check()
        code = self._process.returncode
        return StepResult(code if code >= 0 else 128 - code)

    async def _end(self) -> None:
        """End whatever is left, and read its last words."""
        try:
            if self._living():
                self._signal(signal.SIGTERM)
                await self._gone()
        finally:
            await to_its_end(self._kill())

    async def _kill(self) -> None:
        if self._living():
            self._signal(signal.SIGKILL)
            self._process.wait()
            await self._gone(signal.SIGKILL)
        if await self._reader.drained(self._grace):
            self.doubt = ""
        else:
            self.doubt = "something the script started still holds its output open"

    def _living(self) -> list[int]:
        """Every process of the script, or that it left."""
        own = descendants([self._process.pid]) if self._process.poll() is None else []
        return [*own, *processes.left_by(self._trail)]

    def _signal(self, number: signal.Signals) -> None:
        """Signal the shell's process group as a whole, and each process outside of it."""
        group = self._trail.group
        living = self._living()
        if self._process.poll() is None:
            processes.stop_group(group, number)
            living = [pid for pid in living if processes.group(pid) != group]
        processes.stop(living, number)

    async def _gone(self, again: signal.Signals | None = None) -> None:
        """Wait until nobody is left, at most for the grace. Who comes late is signalled `again`:
        with SIGTERM nobody is, it may be what a trap runs to clean up."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._grace
        while (living := self._living()) and clock() < deadline:
            if again is not None:
                processes.stop(living, again)
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


def write_secret(path: Path, content: bytes) -> None:
    """Write a file that only this user can read. Raises StorageError."""
    try:
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(content)
    except OSError as error:
        raise storage_error(str(path), error) from error
