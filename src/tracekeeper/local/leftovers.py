"""What a killed run left behind, found by the next one, and removed unless it can be taken up.

A run that was killed (kill -9, power cut) cannot clean up. What it made is marked: processes by
their environment, containers by labels, directories by their place; its lock is free. Only what
carries this data directory's id is touched.
"""

import os
import signal
import time
from collections.abc import Collection
from pathlib import Path

import msgspec

from tracekeeper.engine.host import Host
from tracekeeper.errors import EngineError, StorageError
from tracekeeper.local.data import DataDirectory, JobDirectory, RunDirectory
from tracekeeper.runner import processes
from tracekeeper.runner.course import Course
from tracekeeper.runner.output import journalled
from tracekeeper.workspace.trees import remove_tree

SNAPSHOT = "snapshot"
"""The copy of the project that jobs get, in a run's directory of checkouts."""

RESUMABLE = 24 * 3600.0
"""Seconds for which a run that was killed is left to be taken up; its containers go on meanwhile.
There is an end to it, because most runs that are killed are forgotten."""

LEFT_ALONE = (
    "run {} was killed and left containers: `tracekeeper run --resume` takes it up. After a day"
    " without that, the next run removes them"
)

ROUNDS = 100
"""How often processes are looked for that others forked before they were killed."""


def builds_directory(data: DataDirectory) -> Path:
    """Where jobs of this data directory have their checkouts: outside the project, so that no
    tool finds the project's own files by walking up. $XDG_CACHE_HOME is obeyed; a relative one
    means nothing (XDG Base Directory Specification). Raises StorageError for who has no home."""
    caches = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not caches.is_absolute():
        caches = _home() / ".cache"
    return caches / "tracekeeper" / "builds" / data.id[:8]


def _home() -> Path:
    try:
        return Path.home().absolute()
    except RuntimeError as error:
        raise StorageError(
            f"there is no place for checkouts: user {os.getuid()} has no home directory",
            hint="set HOME or XDG_CACHE_HOME",
        ) from error


async def remove_all_leftovers(data: DataDirectory, builds: Path) -> list[str]:
    """Remove what killed runs left; a sentence for each of them."""
    sentences = []
    for run in data.runs():
        if not _left_something(run, builds):
            continue
        with run.taken() as free:
            if free and _left_something(run, builds):  # it may have ended well just now
                sentences.append(
                    LEFT_ALONE.format(run.number)
                    if is_resumable(run)
                    else await _remove(data, run, builds)
                )
    return sentences


def is_resumable(run: RunDirectory) -> bool:
    """Whether a run that was killed has left containers with output that nobody has read yet, and
    not longer ago than `RESUMABLE`."""
    if not run.record.exists():
        return False
    followed = [job for job in run.jobs() if is_followed(job)]
    return bool(followed) and time.time() - max(map(_last_sign, followed)) < RESUMABLE


def is_followed(job: JobDirectory) -> bool:
    """Whether the output of the job's container is still to be read, as far as is known here."""
    state = None if job.result.exists() else journalled(job.path)
    if state is None or state.standing is None:
        return False
    return msgspec.convert(state.course or {}, Course).ended != "job"


def _last_sign(job: JobDirectory) -> float:
    return (job.path / "journal").stat().st_mtime


async def clear_for_resume(
    data: DataDirectory, run: RunDirectory, builds: Path, followed: Collection[int]
) -> None:
    """Remove what a killed run left, but for the copy of its project and what was made for the
    jobs with the ids `followed`. Raises EngineError, StorageError."""
    directory = builds / str(run.number)
    _end_processes(f"{data.id}/{run.number}", directory)
    _remove_partial_files(data, run)
    for path in directory.iterdir() if directory.exists() else ():
        if path.name != SNAPSHOT:
            remove_tree(path)
    if (host := run.engine) is not None:
        others = {str(other.number) for other in data.runs()} - {str(run.number)}
        await _remove_from_engine(data, host, others, {*map(str, followed)})


def _left_something(run: RunDirectory, builds: Path) -> bool:
    return (builds / str(run.number)).exists() or run.engine is not None


async def _remove(data: DataDirectory, run: RunDirectory, builds: Path) -> str:
    directory = builds / str(run.number)
    processes_left = _end_processes(f"{data.id}/{run.number}", directory)
    left = ["its checkouts", f"{processes_left} process{'' if processes_left == 1 else 'es'}"]
    _remove_partial_files(data, run)
    troubles = []
    try:
        remove_tree(directory)
    except StorageError as error:
        troubles.append(error.message)
    if (host := run.engine) is not None:
        try:
            objects = await _remove_from_engine(data, host, _alive(data) - {str(run.number)})
            run.forget_engine()
            left.append(f"{objects} object{'' if objects == 1 else 's'} of its Docker Engine")
        except EngineError as error:
            troubles.append(f"what it left at {host.url} is still there: {error.message}")
    run.forget_records()
    done = f"run {run.number} was killed, or could not clean up; removed now: {', '.join(left)}"
    return "; but ".join([done, *troubles])


def _end_processes(marker: str, directory: Path) -> int:
    """Kill every process of a run, also those that are forked meanwhile; how many there were."""
    killed: set[int] = set()
    for _ in range(ROUNDS):
        left = {*processes.marked_anywhere(marker), *processes.working_in(directory)}
        if not left:
            break
        processes.stop(left, signal.SIGKILL)
        killed |= left
    return len(killed)


def _remove_partial_files(data: DataDirectory, run: RunDirectory) -> None:
    """Remove files that were being written, by processes that are gone; see `written_whole`."""
    for path in (*data.cache.glob("*.partial"), *run.path.glob("jobs/**/*.partial")):
        writer = path.name.split(".")[-2].partition("-")[0]
        if writer.isdigit() and not processes.exists(int(writer)):
            path.unlink(missing_ok=True)


def _alive(data: DataDirectory) -> set[str]:
    """The runs of which nothing may be removed."""
    return {str(run.number) for run in data.runs() if run.locked() or is_resumable(run)}


async def _remove_from_engine(
    data: DataDirectory, host: Host, keep: Collection[str], followed: Collection[str] = ()
) -> int:
    """Remove what is on an engine, but for that of the runs `keep`, of the jobs `followed`, and of
    jobs whose containers are kept."""
    from tracekeeper.engine.client import Engine
    from tracekeeper.runner.executors.leftovers import remove_leftovers

    kept = {str(job.job_id) for other in data.runs() for job in other.kept_jobs()}
    async with await Engine.connect(host) as engine:
        return await remove_leftovers(engine, data.id, keep=keep, keep_jobs=kept.union(followed))
