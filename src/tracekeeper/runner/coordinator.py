"""What a runner needs of whoever gave it the job: one interface, near or far."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from tracekeeper.protocol.payload import ArtifactSpec, CacheSpec, Dependency


class FetchedCache(msgspec.Struct, frozen=True):
    """A cache that was found: the key it was found under, and the zip."""

    key: str
    archive: Path


class Coordinator(Protocol):
    """Gives a job the files it depends on, and takes what it leaves. Calls may block."""

    def artifacts_of(self, dependency: Dependency) -> Sequence[Path]:
        """The zips that `dependency` kept; empty where it kept none.

        Raises JobError (``missing_dependency_failure``) where they are gone.
        """
        ...

    def keep_artifacts(self, spec: ArtifactSpec, archive: Path) -> None:
        """Keep `archive`, made as `spec` says; the file may be moved.

        Raises JobError where the report in it is not valid.
        """
        ...

    def fetch_cache(self, spec: CacheSpec) -> FetchedCache | None:
        """The newest cache under the first key of `spec` that has one."""
        ...

    def keep_cache(self, spec: CacheSpec, archive: Path) -> None:
        """Keep `archive` under the key of `spec`, in place of an earlier one."""
        ...
