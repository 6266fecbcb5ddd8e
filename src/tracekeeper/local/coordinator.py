"""The coordinator of a local run: artifacts and caches are files in the data directory."""

import errno
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from tracekeeper.errors import JobError, WorkspaceError
from tracekeeper.local.data import JobDirectory
from tracekeeper.protocol.payload import ArtifactSpec, CacheSpec, Dependency
from tracekeeper.runner.coordinator import FetchedCache
from tracekeeper.workspace.cache import CacheStore
from tracekeeper.workspace.disk import CHUNK, storing, written_whole
from tracekeeper.workspace.dotenv import MOST_BYTES, parse_dotenv


class ArtifactStore:
    """What the jobs of one run kept, by job id."""

    def __init__(self) -> None:
        self._archives: dict[int, list[Path]] = {}
        self._dotenv: dict[int, dict[str, str]] = {}

    def has_archives(self, job_id: int) -> bool:
        """Whether the job kept artifacts that later jobs get."""
        return job_id in self._archives

    def archives(self, job_id: int) -> Sequence[Path]:
        """The job's artifact zips."""
        return self._archives.get(job_id, ())

    def dotenv(self, job_id: int) -> Mapping[str, str]:
        """The variables of the job's dotenv reports."""
        return self._dotenv.get(job_id, {})

    def restore(self, job: JobDirectory) -> None:
        """Know what another process kept of `job`. Raises WorkspaceError for a bad report."""
        archive, report = (job.artifacts / name for name in ("artifacts.zip", "dotenv.gz"))
        if archive.exists():
            self._archives[job.job_id] = [archive]
        if report.exists():
            self._dotenv[job.job_id] = parse_dotenv(_unzipped(report, MOST_BYTES))

    def keep(self, job: JobDirectory, spec: ArtifactSpec, archive: Path) -> None:
        """Move `archive` to the job's directory.

        Raises WorkspaceError for a bad report, StorageError where it cannot be kept.
        """
        is_dotenv = spec.artifact_type == "dotenv"
        variables = parse_dotenv(_unzipped(archive, MOST_BYTES)) if is_dotenv else {}
        kind = "artifacts" if spec.artifact_type == "archive" else spec.artifact_type
        suffix = {"gzip": "gz"}.get(spec.artifact_format, spec.artifact_format)
        kept = job.artifacts / f"{kind}.{suffix}"
        _move(archive, kept)
        if spec.artifact_type == "archive":
            self._archives.setdefault(job.job_id, []).append(kept)
        self._dotenv.setdefault(job.job_id, {}).update(variables)


class LocalCoordinator:
    """The `Coordinator` of one job."""

    def __init__(self, job: JobDirectory, artifacts: ArtifactStore, caches: CacheStore) -> None:
        self._job = job
        self._artifacts = artifacts
        self._caches = caches

    def artifacts_of(self, dependency: Dependency) -> Sequence[Path]:
        """The zips that `dependency` kept. Raises JobError where they are gone."""
        archives = self._artifacts.archives(dependency.id)
        if not all(archive.exists() for archive in archives):
            raise JobError(
                f"the artifacts of {dependency.name} are gone",
                reason="missing_dependency_failure",
                hint="run that job again",
            )
        return archives

    def keep_artifacts(self, spec: ArtifactSpec, archive: Path) -> None:
        """Move `archive` to the job's directory. Raises JobError for a report that is not valid."""
        try:
            self._artifacts.keep(self._job, spec, archive)
        except WorkspaceError as error:
            raise JobError(error.message, reason="script_failure", hint=error.hint) from error

    def fetch_cache(self, spec: CacheSpec) -> FetchedCache | None:
        """The cache under the first key of `spec` that has one."""
        found = self._caches.restore(spec.key, spec.fallback_keys)
        return FetchedCache(found.key, found.archive) if found else None

    def keep_cache(self, spec: CacheSpec, archive: Path) -> None:
        """Keep `archive` under the key of `spec`."""
        self._caches.store(spec.key, archive)


def _move(source: Path, target: Path) -> None:
    """Move a file, also to another file system. Raises StorageError."""
    with storing(str(target)):
        target.parent.mkdir(exist_ok=True)
        try:
            os.replace(source, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            with source.open("rb") as reader, written_whole(target) as writer:
                shutil.copyfileobj(reader, writer, CHUNK)
            source.unlink()


def _unzipped(archive: Path, most: int) -> bytes:
    """What a gzip file holds, `most` bytes of it: a small file may hold more than any memory."""
    import gzip

    with gzip.open(archive) as file:
        return file.read(most)
