"""What a killed run left behind, found and removed by the next one.

A run that was killed (kill -9, power cut) cannot clean up. What it made is marked: processes by
their environment, containers by labels, directories by their place; its lock is free. Only what
carries this data directory's id is touched.
"""

import os
import signal
from contextlib import suppress
from pathlib import Path

from tracekeeper.engine.host import Host
from tracekeeper.errors import EngineError, StorageError
from tracekeeper.local.data import DataDirectory, RunDirectory
from tracekeeper.runner import processes
from tracekeeper.workspace.trees import remove_tree

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
                sentences.append(await _remove(data, run, builds))
    return sentences


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
            objects = await _remove_from_engine(data, run, host)
            left.append(f"{objects} object{'' if objects == 1 else 's'} of its Docker Engine")
        except EngineError as error:
            troubles.append(f"what it left at {host.url} is still there: {error.message}")
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


async def _remove_from_engine(data: DataDirectory, run: RunDirectory, host: Host) -> int:
    from tracekeeper.engine.client import Engine
    from tracekeeper.runner.executors.leftovers import remove_leftovers

    alive = {str(other.number) for other in data.runs() if other.locked()}
    kept = {str(job.job_id) for other in data.runs() for job in other.kept_jobs()}
    async with await Engine.connect(host) as engine:
        count = await remove_leftovers(
            engine, data.id, keep=alive - {str(run.number)}, keep_jobs=kept
        )
    with suppress(OSError):
        run.forget_engine()
    return count
