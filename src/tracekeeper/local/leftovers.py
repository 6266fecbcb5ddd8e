"""What a killed run left behind, found and removed by the next one.

A run that was killed (kill -9, power cut) cannot clean up. What it made is marked: processes by
their environment, containers by labels, directories by their place; its lock is free. Only what
carries this data directory's id is touched.
"""

import os
import signal
from pathlib import Path

from tracekeeper.local.data import DataDirectory, RunDirectory
from tracekeeper.runner import processes
from tracekeeper.runner.executors.shell import remove_tree


def builds_directory(data: DataDirectory) -> Path:
    """Where jobs of this data directory have their checkouts: outside the project, so that no
    tool finds the project's own files by walking up. $XDG_CACHE_HOME is obeyed."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return caches / "tracekeeper" / "builds" / data.id[:8]


def unfinished_runs(data: DataDirectory, builds: Path) -> list[RunDirectory]:
    """Runs that ended without cleaning up."""
    names = {path.name for path in builds.glob("*")}
    return [run for run in data.runs() if str(run.number) in names and not run.locked()]


def remove_leftovers(data: DataDirectory, run: RunDirectory, builds: Path) -> int:
    """End the processes and remove the directories of a killed run; the number of processes."""
    left = processes.marked_anywhere(f"{data.id}/{run.number}")
    processes.stop(left, signal.SIGKILL)
    remove_tree(builds / str(run.number))
    return len(left)
