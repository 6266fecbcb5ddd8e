"""Which runs are cleaned up after."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from tracekeeper.engine.host import Host
from tracekeeper.errors import StorageError
from tracekeeper.local import leftovers
from tracekeeper.local.data import JOBS_PER_RUN, DataDirectory, RunDirectory
from tracekeeper.local.leftovers import builds_directory, is_resumable, remove_all_leftovers


def test_where_builds_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = DataDirectory.open(tmp_path / "data")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert builds_directory(data) == Path("/caches/tracekeeper/builds", data.id[:8])
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/a")
    assert builds_directory(data) == Path("/home/a/.cache/tracekeeper/builds", data.id[:8])


def test_a_relative_cache_home_means_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = DataDirectory.open(tmp_path / "data")
    monkeypatch.setenv("XDG_CACHE_HOME", "caches")
    monkeypatch.setenv("HOME", "/home/a")
    assert builds_directory(data) == Path("/home/a/.cache/tracekeeper/builds", data.id[:8])


def test_nobody_has_no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    data = DataDirectory.open(tmp_path / "data")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    with pytest.raises(StorageError, match="has no home directory") as caught:
        builds_directory(data)
    assert caught.value.hint == "set HOME or XDG_CACHE_HOME"


def test_only_killed_runs_are_cleaned_up(tmp_path: Path) -> None:
    data, builds = DataDirectory.open(tmp_path / "data"), tmp_path / "builds"
    locks = [data.new_run()[1] for _ in range(3)]
    for number in (1, 3):
        (builds / str(number) / "0").mkdir(parents=True)
    os.close(locks[0])
    os.close(locks[1])
    sentences = asyncio.run(remove_all_leftovers(data, builds))
    assert sentences == [
        "run 1 was killed, or could not clean up; removed now: its checkouts, 0 processes"
    ]
    assert [path.name for path in builds.iterdir()] == ["3"]
    assert asyncio.run(remove_all_leftovers(data, builds)) == []
    os.close(locks[2])


def test_a_run_that_ends_well_meanwhile_was_not_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, builds = DataDirectory.open(tmp_path / "data"), tmp_path / "builds"
    _, lock = data.new_run()
    (builds / "1").mkdir(parents=True)
    real = leftovers._left_something

    def end_after_a_look(*arguments: object) -> bool:
        found = real(*arguments)  # type: ignore[arg-type]  # what the original gets
        if found:
            (builds / "1").rmdir()
            os.close(lock)
        return found

    monkeypatch.setattr(leftovers, "_left_something", end_after_a_look)
    assert asyncio.run(remove_all_leftovers(data, builds)) == []


def followed_run(data: DataDirectory, *, standing: str = "{}") -> RunDirectory:
    """A run that was killed while the container of a job ran."""
    run, lock = data.new_run()
    os.close(lock)
    run.record.write_text("{}")
    run.note_engine(Host("unix:///nowhere"))
    job = run.new_job(run.number * JOBS_PER_RUN + 1, "job")
    (job.path / "journal").write_text(f'[0,0,[[[0,0],[0,0,0,0,0,0,0,0,0]],"",{{}},{standing}]]\n')
    return run


def test_a_run_that_can_be_taken_up_is_left_alone(tmp_path: Path) -> None:
    data = DataDirectory.open(tmp_path / "data")
    run = followed_run(data)
    for _ in range(2):
        (sentence,) = asyncio.run(remove_all_leftovers(data, tmp_path / "builds"))
        assert sentence.startswith(
            "run 1 was killed and left containers: `tracekeeper run --resume`"
        )
    assert run.record.exists()


def test_but_not_for_ever(tmp_path: Path) -> None:
    data = DataDirectory.open(tmp_path / "data")
    run = followed_run(data)
    (job,) = run.jobs()
    long_ago = time.time() - leftovers.RESUMABLE - 1
    os.utime(job.path / "journal", (long_ago, long_ago))
    (sentence,) = asyncio.run(remove_all_leftovers(data, tmp_path / "builds"))
    assert "is still there" in sentence
    assert not run.record.exists()


def test_which_runs_can_be_taken_up(tmp_path: Path) -> None:
    data = DataDirectory.open(tmp_path / "data")
    assert is_resumable(followed_run(data))
    assert not is_resumable(followed_run(data, standing="null"))
    ended = followed_run(data)
    ended.jobs()[0].result.write_text("{}")
    assert not is_resumable(ended)
    closed = followed_run(data)
    (closed.jobs()[0].path / "journal").write_text(
        '[0,0,[[[0,0],[0,0,0,0,0,0,0,0,0]],"",{"ended":"job"},{}]]\n'
    )
    assert not is_resumable(closed)
    torn = followed_run(data)
    (torn.jobs()[0].path / "journal").write_text("[0,0,[[")
    assert not is_resumable(torn)
    unrecorded = followed_run(data)
    unrecorded.record.unlink()
    assert not is_resumable(unrecorded)
