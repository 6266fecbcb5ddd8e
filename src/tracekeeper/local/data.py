"""Where runs are kept: the data directory of a project.

    .tracekeeper/
      .gitignore            ignores everything here, itself included
      id                    names this directory on containers and processes
      cache/                caches, kept between runs
      runs/1/
        lock                held (flock) as long as the run goes on; whose process it is
        engine              the Docker Engine it uses, as JSON; gone once nothing is left there
        events.jsonl        everything that happened, one JSON object a line
        jobs/2-test/        trace, journal, result.json, artifacts/
          kept              the Docker Engine on which its container is kept, as JSON

A run whose lock is free and which left something was killed; see `leftovers`.
"""

import fcntl
import itertools
import os
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tracekeeper.engine.host import Host
from tracekeeper.errors import StorageError, UsageError
from tracekeeper.runner.processes import exists
from tracekeeper.workspace.disk import storing, written_whole

JOBS_PER_RUN = 100_000
SETTLING = 1.0
"""Seconds that the lock of a process that is gone is waited for."""
"""Job ids are run × this + the job's place in the run: unique, and they tell the run."""


class JobDirectory:
    """The files of one job."""

    def __init__(self, path: Path, job_id: int) -> None:
        self.path = path
        self.job_id = job_id

    @property
    def trace(self) -> Path:
        """The trace bytes."""
        return self.path / "trace"

    @property
    def result(self) -> Path:
        """The job's result and ledger as JSON; there once the job has ended."""
        return self.path / "result.json"

    def keep_result(self, result: msgspec.Struct) -> None:
        """Write the job's result, whole or not at all. Raises StorageError."""
        with written_whole(self.result) as file:
            file.write(msgspec.json.encode(result))

    @property
    def payload(self) -> Path:
        """What the job was told, as JSON; there until it has ended. See `record`."""
        return self.path / "payload.json"

    @property
    def defect(self) -> Path:
        """The details of a defect of ours that ended the job; may not exist."""
        return self.path / "defect.txt"

    @property
    def kept(self) -> Host | None:
        """The Docker Engine on which the job's container is kept; None if it is not."""
        return _read_host(self.path / "kept")

    def note_kept(self, host: Host) -> None:
        """Remember that the job's container is kept at `host`. Raises StorageError."""
        _write_host(self.path / "kept", host)

    def forget_kept(self) -> None:
        """Nothing of the job is kept any more."""
        (self.path / "kept").unlink(missing_ok=True)

    @property
    def artifacts(self) -> Path:
        """The directory of its artifact archives; may not exist."""
        return self.path / "artifacts"


class RunDirectory:
    """The files of one run. `number` counts up from 1."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.number = int(path.name)

    @property
    def events(self) -> Path:
        """The run's events, one JSON object a line."""
        return self.path / "events.jsonl"

    @property
    def record(self) -> Path:
        """What another process needs to take the run up, as JSON; there until the run has ended.
        See `record`."""
        return self.path / "run.json"

    def last_id(self) -> int:
        """The highest id that a job of this run has been given."""
        ids = (job.job_id for job in self.jobs())
        return max(ids, default=self.number * JOBS_PER_RUN)

    def take(self) -> int | None:
        """Lock a run whose process is gone: the descriptor that holds the lock; None if it is
        alive, or somebody else has taken it."""
        try:
            fd = os.open(self.path / "lock", os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        if not _locks(fd, fcntl.LOCK_EX):
            os.close(fd)
            return None
        _sign(fd)
        return fd

    def forget_records(self) -> None:
        """The run has ended: nobody will take it up."""
        for path in (self.record, *self.path.glob("jobs/*/payload.json")):
            path.unlink(missing_ok=True)

    def new_job(self, job_id: int, name: str) -> JobDirectory:
        """Make the directory of a job. Raises StorageError."""
        path = self.path / "jobs" / f"{job_id % JOBS_PER_RUN}-{_slug(name)}"
        with storing(str(path)):
            path.mkdir(parents=True)
        return JobDirectory(path, job_id)

    def job(self, job_id: int) -> JobDirectory | None:
        """The directory of a job that has begun, else None."""
        for path in (self.path / "jobs").glob(f"{job_id % JOBS_PER_RUN}-*"):
            return JobDirectory(path, job_id)
        return None

    def jobs(self) -> list[JobDirectory]:
        """The attempts that have begun."""
        first = self.number * JOBS_PER_RUN
        paths = (self.path / "jobs").glob("*-*")
        return [JobDirectory(path, first + int(path.name.partition("-")[0])) for path in paths]

    def kept_jobs(self) -> list[JobDirectory]:
        """The jobs whose containers are kept."""
        paths = (path.parent for path in self.path.glob("jobs/*/kept"))
        first = self.number * JOBS_PER_RUN
        return [JobDirectory(path, first + int(path.name.partition("-")[0])) for path in paths]

    @property
    def engine(self) -> Host | None:
        """The Docker Engine on which the run has or may have left something."""
        return _read_host(self.path / "engine")

    def note_engine(self, host: Host) -> None:
        """Remember, before anything is made there, that the run uses the engine at `host`.

        Raises StorageError.
        """
        _write_host(self.path / "engine", host)

    def forget_engine(self) -> None:
        """Nothing is left on the engine."""
        (self.path / "engine").unlink(missing_ok=True)

    def locked(self) -> bool:
        """Whether the run still goes on."""
        with self.taken(fcntl.LOCK_SH) as free:
            return not free

    @contextmanager
    def taken(self, how: int = fcntl.LOCK_EX) -> Iterator[bool]:
        """Hold the run's lock, if nobody else does; whether we have it."""
        try:
            fd = os.open(self.path / "lock", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            yield how == fcntl.LOCK_SH
            return
        try:
            yield _locks(fd, how)
        finally:
            os.close(fd)


def _locks(fd: int, how: int) -> bool:
    """Lock a file, if nobody else does; whether that worked.

    Where the process that has signed it is gone, its lock goes in a moment: a child holds it that
    was forked but had not begun its own program yet.
    """
    deadline = time.monotonic() + SETTLING
    while True:
        try:
            fcntl.flock(fd, how | fcntl.LOCK_NB)
        except BlockingIOError:
            if _owner_lives(fd) or time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        else:
            return True


def _sign(fd: int) -> None:
    """Say in a file that we have locked it."""
    os.ftruncate(fd, 0)
    os.pwrite(fd, b"%d\n" % os.getpid(), 0)


def _owner_lives(fd: int) -> bool:
    """Whether the process lives that has signed a file; one that is not signed has a living one."""
    signed = os.pread(fd, 20, 0).strip()
    return not signed.isdigit() or exists(int(signed))


class DataDirectory:
    """The data directory of one project. `open` makes it, `find` only looks; both raise
    StorageError for a damaged one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.id = _identity(path / "id")
        """A UUID that no other directory has, not even a copy of this one: what a run made is
        known by it, and removed after a crash."""

    @classmethod
    def open(cls, path: Path) -> "DataDirectory":
        """The data directory at `path`, made if it is not there. Raises StorageError."""
        try:
            (path / "runs").mkdir(parents=True, exist_ok=True)
            _write_once(path / ".gitignore", "*\n")
            _write_once(path / "id", f"{uuid.uuid4()}\n")
            return cls(path)
        except OSError as error:
            raise StorageError(
                f"runs cannot be kept in {path}: {error.strerror}",
                hint="choose another directory with --data",
            ) from error

    @classmethod
    def find(cls, path: Path) -> "DataDirectory":
        """The data directory at `path`. Raises UsageError where nothing was kept yet."""
        if not (path / "id").exists():
            raise UsageError(f"nothing is kept in {path}", hint="`tracekeeper run` starts a run")
        return cls(path)

    @property
    def cache(self) -> Path:
        """The directory of caches; may not exist."""
        return self.path / "cache"

    def runs(self) -> list[RunDirectory]:
        """Every run that is kept, the oldest first."""
        names = (name for name in os.listdir(self.path / "runs") if name.isdigit())
        return [RunDirectory(self.path / "runs" / name) for name in sorted(names, key=int)]

    def run(self, number: int) -> RunDirectory:
        """The run with this number. Raises UsageError where it is not kept."""
        path = self.path / "runs" / str(number)
        if not path.is_dir():
            raise UsageError(f"run {number} is not kept in {self.path}")
        return RunDirectory(path)

    def new_run(self) -> tuple[RunDirectory, int]:
        """Make the directory of a new run and lock it: (run, descriptor that holds the lock).

        Raises StorageError.
        """
        for number in self._numbers():
            path = self.path / "runs" / str(number)
            with storing(str(path)):
                try:
                    path.mkdir()
                except FileExistsError:
                    continue
                fd = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(fd, fcntl.LOCK_EX)
            _sign(fd)
            return RunDirectory(path), fd
        raise AssertionError("numbers never end")

    def _numbers(self) -> Iterator[int]:
        return itertools.count(next_number(self.path))


def next_number(data: Path) -> int:
    """The number that the next run in the data directory `data` gets, which may not exist yet."""
    try:
        names = os.listdir(data / "runs")
    except OSError:
        return 1
    return 1 + max((int(name) for name in names if name.isdigit()), default=0)


def _read_host(path: Path) -> Host | None:
    """The engine that the file `path` names, None if there is none. Raises StorageError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Host)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise StorageError(f"{path} is damaged: {error}") from None


def _write_host(path: Path, host: Host) -> None:
    with storing(str(path)), open(path, "wb", opener=_private) as file:
        file.write(msgspec.json.encode(host))


def _private(path: str, flags: int) -> int:
    """Open for ourselves alone: the URL of a proxy may hold a password."""
    return os.open(path, flags, 0o600)


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:80] or "job"


def _identity(path: Path) -> str:
    """The UUID in the file `path`, made another one if the file is a copy: it has an inode of its
    own. A directory that is moved stays the same. Raises StorageError where it holds no UUID."""
    with path.open() as file:
        inode = os.fstat(file.fileno()).st_ino
        try:
            return str(uuid.uuid5(uuid.UUID(file.read().strip()), str(inode)))
        except ValueError as error:
            raise StorageError(
                f"{path} is damaged: it does not name this data directory",
                hint="remove that file, and what its runs left running by hand",
            ) from error


def _write_once(path: Path, text: str) -> None:
    """Write a file unless it is there; two of us may do so at once."""
    if path.exists():
        return
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.write_text(text)
    try:
        os.link(part, path)
    except FileExistsError:
        pass
    finally:
        part.unlink()
