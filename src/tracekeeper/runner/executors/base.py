"""The interface between a job and the thing that runs it.

One executor object serves one job. The order of calls is

    prepare → put_sources → put_archive* → run(script) → run(after_script)? → collect* → cleanup

`cleanup` is always called, also after a failed `prepare` and after cancellation, and leaves no
process, container, network, volume or file behind. Every other call may raise `JobError` (a
plain sentence with GitLab's failure reason) and may be cancelled at any await.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

import msgspec

from tracekeeper.events import ConnectionEvent
from tracekeeper.protocol.payload import Step


class Output(Protocol):
    """Where a script's output goes. Calls return quickly; bytes are copied when kept."""

    def write(self, data: bytes, *, at: int | None = None) -> None:
        """Append script output. `at` is microseconds since the epoch (None: now)."""
        ...

    def preview(self, data: bytes) -> None:
        """Show the unfinished line `data`; it is not recorded (docker only, where the record
        has finished lines only). Empty data takes the preview back."""
        ...

    def note(self, text: str) -> None:
        """Append a line of the runner's own to the trace."""
        ...

    def checkpoint(self, standing: msgspec.Struct, *, now: bool = False) -> None:
        """All output up to here was written, and `standing` is what an executor in another process
        needs to go on behind it. It is kept soon, or before this returns if `now`; it must not
        hold what was masked. Raises StorageError."""
        ...

    def tell(self, event: ConnectionEvent) -> None:
        """Something happened to the connection over which the output comes. Who gets it adds the
        job, and the byte of the trace that comes next."""
        ...


class Sources(Protocol):
    """The checkout that a job works on, frozen when the run began."""

    def materialize(self, dest: Path) -> None:
        """Make `dest` a fresh copy; it may hold the released copy of an earlier job. Blocks."""
        ...

    def release(self, dest: Path) -> None:
        """The job is done with `dest`: remove it, or keep it for the next job. Blocks."""
        ...

    def tar(self, prefix: str) -> Iterator[bytes]:
        """A tar stream of the copy, every path below `prefix`, for upload to a container."""
        ...


class StepResult(msgspec.Struct, frozen=True):
    """How a step ended. `exit_code` is the script's own (128 + signal where a signal ended it);
    `oom` marks a kill by the kernel's memory limit."""

    exit_code: int
    oom: bool = False


class Executor(Protocol):
    """Runs the steps of one job."""

    @property
    def name(self) -> str:
        """``shell`` or ``docker``, as in config.toml."""
        ...

    @property
    def project_dir(self) -> str:
        """CI_PROJECT_DIR, as the script sees it."""
        ...

    @property
    def doubt(self) -> str:
        """Why some output of the script that `run` ran last may be missing; empty where every
        byte was written. It holds however `run` ended, cancellation included."""
        ...

    @property
    def altered(self) -> str:
        """Where the output of the script that `run` ran last was another one when it was read a
        second time; empty where it was not, or was not read twice."""
        ...

    async def prepare(self, output: Output) -> None:
        """Make the place where scripts run: directories, or image, network, services, container."""
        ...

    async def put_sources(self, output: Output, script: bytes = b"") -> None:
        """Put the checkout at `project_dir`. `script`, if given, is the one that `run` gets first:
        an executor for which every upload is dear may send both at once."""
        ...

    async def put_archive(self, archive: Path) -> None:
        """Unpack a zip of artifacts or cache over `project_dir`, safely."""
        ...

    async def run(self, step: Step, script: bytes, output: Output) -> StepResult:
        """Run one script to its end. Cancelling this call stops the script with its whole process
        group or container: first SIGTERM, then, after a grace period, SIGKILL."""
        ...

    def collect(self, paths: Sequence[str]) -> AbstractAsyncContextManager[Path]:
        """A directory on this machine that holds the files under the literal prefixes of the
        globs `paths`, as they lie below `project_dir`; for the shell executor `project_dir`."""
        ...

    async def cleanup(self) -> None:
        """Remove everything that was made. Never raises for things already gone."""
        ...
