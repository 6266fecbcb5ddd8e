"""Caches and artifacts of a job: what is asked of executor and coordinator, and what is said."""

import asyncio
import gzip
import zipfile
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tracekeeper.errors import JobError, StorageError
from tracekeeper.protocol.payload import ArtifactSpec, CacheSpec, Dependency, JobInfo, JobPayload
from tracekeeper.runner.coordinator import FetchedCache
from tracekeeper.runner.environment import Environment
from tracekeeper.runner.files import JobFiles


class World:
    """Executor, coordinator and output in one, in a directory of its own."""

    def __init__(self, root: Path) -> None:
        self.project = root / "project"
        self.scratch = root / "scratch"
        self.project.mkdir()
        self.notes: list[str] = []
        self.unpacked: list[str] = []
        self.kept: dict[str, list[str]] = {}
        self.caches: dict[str, Path] = {}
        self.refusal: Exception | None = None

    # the executor

    @property
    def project_dir(self) -> str:
        return str(self.project)

    async def put_archive(self, archive: Path) -> None:
        self.unpacked.append(archive.name)

    @asynccontextmanager
    async def collect(self, paths: Sequence[str]) -> AsyncIterator[Path]:
        yield self.project

    # the coordinator

    def artifacts_of(self, dependency: Dependency) -> Sequence[Path]:
        return [] if dependency.name == "none" else [Path(f"{dependency.name}.zip")]

    def keep_artifacts(self, spec: ArtifactSpec, archive: Path) -> None:
        self._keep(spec.artifact_type, archive)

    def fetch_cache(self, spec: CacheSpec) -> FetchedCache | None:
        if self.refusal:
            raise self.refusal
        found = self.caches.get(spec.key)
        return FetchedCache(spec.key, found) if found else None

    def keep_cache(self, spec: CacheSpec, archive: Path) -> None:
        self._keep(spec.key, archive)

    def _keep(self, name: str, archive: Path) -> None:
        if self.refusal:
            raise self.refusal
        if archive.suffix == ".gzip":
            self.kept[name] = [gzip.decompress(archive.read_bytes()).decode()]
        else:
            self.kept[name] = sorted(zipfile.ZipFile(archive).namelist())

    # the output

    def note(self, text: str) -> None:
        self.notes.append(text)

    def files(
        self,
        *,
        cache: Sequence[CacheSpec] = (),
        artifacts: Sequence[ArtifactSpec] = (),
        dependencies: Sequence[Dependency] = (),
        known: Sequence[str] = (),
    ) -> JobFiles:
        payload = JobPayload(
            1,
            "t",
            JobInfo(1, "job", "test"),
            (),
            (),
            cache=tuple(cache),
            artifacts=tuple(artifacts),
            dependencies=tuple(dependencies),
        )
        world: Any = self
        environment = Environment({"WHERE": "here"})
        return JobFiles(
            payload,
            world,
            world,
            world,
            environment=environment,
            known=known,
            scratch=self.scratch,
        )


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def do(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def test_caches_are_restored_by_their_policy(world: World) -> None:
    world.caches = {"here": Path("here.zip"), "push": Path("push.zip")}
    specs = [
        CacheSpec("$WHERE"),
        CacheSpec("push", policy="push"),
        CacheSpec("pull", policy="pull"),
    ]
    do(world.files(cache=specs).restore_caches())
    assert world.unpacked == ["here.zip"]
    assert world.notes == [
        "Restored the cache here",
        "Not restoring the cache push: its policy is push",
        "No cache is kept under the key pull",
    ]


def test_a_cache_that_cannot_be_had_is_a_warning(world: World) -> None:
    world.refusal = StorageError("it is so")
    do(world.files(cache=[CacheSpec("k")]).restore_caches())
    assert world.notes == ["\x1b[33;1mWARNING: the cache k was not restored: it is so\x1b[0;m"]


@pytest.mark.parametrize(
    ("policy", "when", "succeeded", "saved"),
    [
        ("pull-push", "on_success", True, True),
        ("pull-push", "on_success", False, False),
        ("pull-push", "on_failure", True, False),
        ("pull-push", "on_failure", False, True),
        ("push", "always", False, True),
        ("pull", "always", True, False),
    ],
)
def test_caches_are_saved_when_due(
    world: World, policy: str, when: Any, succeeded: bool, saved: bool
) -> None:
    (world.project / "file-here").touch()
    spec = CacheSpec("k-$WHERE", ("file-$WHERE",), policy=policy, when=when)
    do(world.files(cache=[spec]).save_caches(succeeded=succeeded))
    assert world.kept == ({"k-here": ["file-here"]} if saved else {})


def test_a_cache_that_cannot_be_kept_is_a_warning(world: World) -> None:
    (world.project / "file").touch()
    world.refusal = StorageError("it is so")
    specs = [CacheSpec("a", ("file",)), CacheSpec("b", ("none",))]
    do(world.files(cache=specs).save_caches(succeeded=True))
    assert [note[7:-5] for note in world.notes] == [
        "WARNING: the cache a was not saved: it is so",
        "WARNING: none: no matching files",
        "WARNING: nothing to save for the cache b",
    ]


def test_artifacts_of_dependencies(world: World) -> None:
    others = [Dependency(7, "one"), Dependency(8, "none"), Dependency(9, "two")]
    do(world.files(dependencies=others).fetch_artifacts())
    assert world.unpacked == ["one.zip", "two.zip"]
    assert world.notes == ["Fetched the artifacts of one (7)", "Fetched the artifacts of two (9)"]


def test_artifacts_and_reports(world: World) -> None:
    (world.project / "out").write_text("out")
    (world.project / "v.env").write_text("A=1\n")
    specs = [
        ArtifactSpec(paths=("out", "*"), exclude=("v.*",)),
        ArtifactSpec("env", paths=("v.env",), artifact_type="dotenv", artifact_format="gzip"),
    ]
    do(world.files(artifacts=specs).keep_artifacts(succeeded=True))
    assert world.kept == {"archive": ["out"], "dotenv": ["A=1\n"]}
    assert world.notes == [
        "Kept the artifacts: 1 files and directories",
        "Kept the dotenv report: 1 files and directories",
    ]


def test_untracked_files(world: World) -> None:
    for name in ("known", "new"):
        (world.project / name).touch()
    spec = ArtifactSpec(untracked=True)
    do(world.files(artifacts=[spec], known=["known"]).keep_artifacts(succeeded=True))
    assert world.kept == {"archive": ["new"]}


def test_paths_that_leave_the_project_are_refused(world: World) -> None:
    (world.project.parent / "outside").touch()
    spec = ArtifactSpec(paths=("../outside", "/etc/passwd"))
    do(world.files(artifacts=[spec]).keep_artifacts(succeeded=True))
    assert world.kept == {}
    assert len([note for note in world.notes if "WARNING" in note]) >= 2
    assert world.notes[-1] == "\x1b[31;1mERROR: No files to upload\x1b[0;m"


def test_artifacts_that_are_refused(world: World) -> None:
    (world.project / "file").touch()
    world.refusal = JobError("it is so", reason="script_failure")
    work = world.files(artifacts=[ArtifactSpec(paths=("file",))]).keep_artifacts(succeeded=True)
    with pytest.raises(JobError, match="it is so"):
        do(work)


def test_no_place_for_archives(world: World) -> None:
    (world.project / "file").touch()
    world.scratch.parent.joinpath("scratch").write_text("in the way")
    work = world.files(artifacts=[ArtifactSpec(paths=("file",))]).keep_artifacts(succeeded=True)
    with pytest.raises(StorageError, match="cannot write"):
        do(work)
