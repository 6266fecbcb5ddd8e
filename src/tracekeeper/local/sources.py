"""What jobs get as their sources: copies of the run's snapshot, or nothing."""

from collections.abc import Iterator
from pathlib import Path

from tracekeeper.workspace.checkout import Snapshot
from tracekeeper.workspace.copies import SnapshotCopy
from tracekeeper.workspace.trees import remove_tree

WITHOUT_SOURCES = ("none", "empty")
"""Values of GIT_STRATEGY with which a job starts in an empty directory. No directory here has
anything of an earlier job, so there is no difference between the two."""


class SnapshotSources:
    """The run's snapshot as the sources of its jobs; with `consume` for the only job there is.

    The copy of a job that has ended is kept, and brought back to its first state for the next
    job at the same place: that takes a fraction of a new copy's time.
    """

    def __init__(self, snapshot: Snapshot, *, consume: bool) -> None:
        self._snapshot = snapshot
        self._consume = consume
        self._copies: dict[Path, SnapshotCopy] = {}

    def materialize(self, dest: Path) -> None:
        """Make `dest` a fresh copy."""
        if self._consume:
            self._snapshot.materialize(dest, consume=True)
            return
        self._copies.setdefault(dest, SnapshotCopy(self._snapshot, dest)).refresh()

    def release(self, dest: Path) -> None:
        """Keep the copy at `dest` for the next job."""

    def tar(self, prefix: str) -> Iterator[bytes]:
        """A tar stream of the copy below `prefix`."""
        return self._snapshot.tar(prefix)


class NoSources:
    """An empty project directory."""

    def materialize(self, dest: Path) -> None:
        """Make the directory `dest`, empty."""
        remove_tree(dest)
        dest.mkdir(parents=True)

    def release(self, dest: Path) -> None:
        """Remove `dest`."""
        remove_tree(dest)

    def tar(self, prefix: str) -> Iterator[bytes]:
        """A tar stream without members."""
        yield bytes(1024)
