"""What jobs get as their sources: copies of the run's snapshot, or nothing."""

from collections.abc import Iterator
from pathlib import Path

from tracekeeper.workspace.checkout import Snapshot

WITHOUT_SOURCES = ("none", "empty")
"""Values of GIT_STRATEGY with which a job starts in an empty directory. Every directory here is
new, so there is no difference between the two."""


class SnapshotSources:
    """The run's snapshot as the sources of a job; with `consume` for the only job there is."""

    def __init__(self, snapshot: Snapshot, *, consume: bool) -> None:
        self._snapshot = snapshot
        self._consume = consume

    def materialize(self, dest: Path) -> None:
        """Make a copy at `dest`."""
        self._snapshot.materialize(dest, consume=self._consume)

    def tar(self, prefix: str) -> Iterator[bytes]:
        """A tar stream of the copy below `prefix`."""
        return self._snapshot.tar(prefix)


class NoSources:
    """An empty project directory."""

    def materialize(self, dest: Path) -> None:
        """Make the directory `dest`."""
        dest.mkdir(parents=True)

    def tar(self, prefix: str) -> Iterator[bytes]:
        """A tar stream without members."""
        yield bytes(1024)
