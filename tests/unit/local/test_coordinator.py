"""Artifacts and caches in the data directory."""

import errno
import gzip
import os
import tracemalloc
from pathlib import Path

import pytest

from tracekeeper.errors import JobError, StorageError
from tracekeeper.local.coordinator import ArtifactStore, LocalCoordinator
from tracekeeper.local.data import JobDirectory
from tracekeeper.protocol.payload import ArtifactSpec, CacheSpec, Dependency
from tracekeeper.workspace.cache import CacheStore

ZIP = ArtifactSpec()
DOTENV = ArtifactSpec(name=".env", artifact_type="dotenv", artifact_format="gzip")


class Place:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = ArtifactStore()
        self.job = JobDirectory(root / "job", 7)
        self.job.path.mkdir()
        self.coordinator = LocalCoordinator(self.job, self.store, CacheStore(root / "cache"))

    def archive(self, content: bytes = b"zip") -> Path:
        path = self.root / "archive"
        path.write_bytes(content)
        return path


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_artifacts_are_moved_and_found(place: Place) -> None:
    archive = place.archive()
    assert not place.store.has_archives(7)
    place.coordinator.keep_artifacts(ZIP, archive)
    assert place.store.has_archives(7)
    (kept,) = place.coordinator.artifacts_of(Dependency(7, "job"))
    assert (kept.name, kept.read_bytes()) == ("artifacts.zip", b"zip")
    assert not archive.exists()
    assert place.coordinator.artifacts_of(Dependency(8, "other")) == ()
    assert place.store.archives(8) == ()


def test_artifacts_that_are_gone(place: Place) -> None:
    place.coordinator.keep_artifacts(ZIP, place.archive())
    (place.job.artifacts / "artifacts.zip").unlink()
    with pytest.raises(JobError, match="the artifacts of job are gone") as caught:
        place.coordinator.artifacts_of(Dependency(7, "job"))
    assert caught.value.reason == "missing_dependency_failure"


def test_dotenv_reports(place: Place) -> None:
    place.coordinator.keep_artifacts(DOTENV, place.archive(gzip.compress(b"A=1\nB=2\n")))
    assert place.store.dotenv(7) == {"A": "1", "B": "2"}
    assert place.store.dotenv(8) == {}
    assert not place.store.has_archives(7)
    assert (place.job.artifacts / "dotenv.gz").exists()


def test_a_bad_dotenv_report(place: Place) -> None:
    with pytest.raises(JobError) as caught:
        place.coordinator.keep_artifacts(DOTENV, place.archive(gzip.compress(b"no variable\n")))
    assert caught.value.reason == "script_failure"


def test_a_dotenv_report_is_read_as_far_as_it_may_go(place: Place) -> None:
    archive = place.archive(gzip.compress(bytes(64 << 20)))
    tracemalloc.start()
    try:
        with pytest.raises(JobError, match="the dotenv report is too large"):
            place.coordinator.keep_artifacts(DOTENV, archive)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_to_another_file_system(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path, target: Path) -> None:
        if Path(source).name == "archive":
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        real(source, target)

    real = os.replace
    monkeypatch.setattr(os, "replace", refuse)
    archive = place.archive()
    place.coordinator.keep_artifacts(ZIP, archive)
    assert [path.name for path in place.job.artifacts.iterdir()] == ["artifacts.zip"]
    assert not archive.exists()


def test_a_disk_that_refuses(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(StorageError, match="the disk is full"):
        place.coordinator.keep_artifacts(ZIP, place.archive())
    assert not place.store.has_archives(7)


def test_caches(place: Place) -> None:
    spec = CacheSpec("new", fallback_keys=("old",))
    assert place.coordinator.fetch_cache(spec) is None
    place.coordinator.keep_cache(CacheSpec("old"), place.archive(b"old"))
    found = place.coordinator.fetch_cache(spec)
    assert found is not None
    assert (found.key, found.archive.read_bytes()) == ("old", b"old")


def test_what_another_process_kept_is_known(place: Place) -> None:
    place.coordinator.keep_artifacts(ZIP, place.archive())
    place.coordinator.keep_artifacts(DOTENV, place.archive(gzip.compress(b"A=1\n")))
    store = ArtifactStore()
    store.restore(place.job)
    assert store.archives(7) == place.store.archives(7)
    assert store.dotenv(7) == {"A": "1"}
    store.restore(JobDirectory(place.root / "other", 8))
    assert not store.has_archives(8)
