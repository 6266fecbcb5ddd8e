"""The data directory: numbers, names, locks."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from tracekeeper.engine.host import Host, Tls
from tracekeeper.errors import StorageError, UsageError
from tracekeeper.local import data as data_module
from tracekeeper.local.data import JOBS_PER_RUN, DataDirectory, next_number


class Result(msgspec.Struct):
    status: str


def test_it_is_made_once(tmp_path: Path) -> None:
    first = DataDirectory.open(tmp_path / "data")
    assert DataDirectory.open(tmp_path / "data").id == first.id
    assert DataDirectory.find(tmp_path / "data").id == first.id
    assert (tmp_path / "data/.gitignore").read_text() == "*\n"
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == [
        ".gitignore",
        "id",
        "runs",
    ]
    assert first.cache == tmp_path / "data/cache"


def test_a_copy_is_another_one(tmp_path: Path) -> None:
    first = DataDirectory.open(tmp_path / "data")
    shutil.copytree(tmp_path / "data", tmp_path / "copy")
    assert DataDirectory.open(tmp_path / "copy").id != first.id
    (tmp_path / "data").rename(tmp_path / "moved")
    assert DataDirectory.open(tmp_path / "moved").id == first.id


def test_a_damaged_id(tmp_path: Path) -> None:
    DataDirectory.open(tmp_path / "data")
    (tmp_path / "data/id").write_text("")
    with pytest.raises(StorageError, match="is damaged"):
        DataDirectory.open(tmp_path / "data")


def test_nothing_is_kept_yet(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing is kept in"):
        DataDirectory.find(tmp_path / "data")
    assert next_number(tmp_path / "data") == 1


def test_a_place_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="runs cannot be kept in"):
        DataDirectory.open(tmp_path / "file")


def test_runs_are_numbered(tmp_path: Path) -> None:
    data = DataDirectory.open(tmp_path / "data")
    locks = [data.new_run() for _ in range(11)]
    assert [run.number for run, _ in locks] == list(range(1, 12))
    assert [run.number for run in data.runs()] == list(range(1, 12))
    assert data.run(7).number == 7
    with pytest.raises(UsageError, match="run 12 is not kept"):
        data.run(12)
    for _, lock in locks:
        os.close(lock)


def test_runs_that_begin_at_once_have_their_own_numbers(tmp_path: Path) -> None:
    data = DataDirectory.open(tmp_path / "data")
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: data.new_run(), range(40)))
    assert sorted(run.number for run, _ in made) == list(range(1, 41))
    for _, lock in made:
        os.close(lock)


def test_a_run_that_cannot_be_made(tmp_path: Path) -> None:
    data = DataDirectory.open(tmp_path / "data")
    (tmp_path / "data/runs").rmdir()
    with pytest.raises(StorageError):
        data.new_run()


def test_locks(tmp_path: Path) -> None:
    data = DataDirectory.open(tmp_path / "data")
    run, lock = data.new_run()
    assert run.locked()
    with run.taken() as free:
        assert not free
    os.close(lock)
    assert not run.locked()
    with run.taken() as free:
        assert free
        with run.taken() as again:
            assert not again
        assert run.locked()
    assert not run.locked()


HOLDER = """
import os, signal, sys
from pathlib import Path
from tracekeeper.local.data import DataDirectory
DataDirectory.open(Path(sys.argv[1])).new_run()
if os.fork():
    print("held", flush=True)
    signal.pause()
sys.stdin.read()
"""
"""Locks a run, and forks a child that has the lock too until its input ends."""


def test_a_child_that_was_not_begun_yet_may_hold_the_lock_of_a_process_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "data"
    command = [sys.executable, "-c", HOLDER, str(place)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        hand, voice = holder.stdin, holder.stdout
        assert hand
        assert voice
        assert voice.readline() == b"held\n"
        run = DataDirectory.open(place).run(1)
        assert run.locked()
        holder.kill()
        holder.wait()
        monkeypatch.setattr(data_module, "SETTLING", 0.0)
        assert run.locked()

        def let_go(_: float) -> None:
            hand.close()
            voice.read()

        monkeypatch.setattr(data_module, "SETTLING", 3600.0)
        monkeypatch.setattr("tracekeeper.local.data.time.sleep", let_go)
        assert not run.locked()
        taken = run.take()
        assert taken is not None
        assert (place / "runs/1/lock").read_text() == f"{os.getpid()}\n"
        os.close(taken)


def test_a_run_that_has_just_begun_is_nobodys_to_clean_up(tmp_path: Path) -> None:
    data = DataDirectory.open(tmp_path / "data")
    (tmp_path / "data/runs/1").mkdir()
    with data.run(1).taken() as free:
        assert not free
    assert not data.run(1).locked()


def test_jobs_have_directories(tmp_path: Path) -> None:
    run, lock = DataDirectory.open(tmp_path / "data").new_run()
    job = run.new_job(100_012, "build: [linux, ../gcc]")
    assert job.path == run.path / "jobs" / "12-build-linux-..-gcc"
    found = run.job(100_012)
    assert found is not None
    assert (found.path, found.job_id) == (job.path, 100_012)
    assert run.job(100_001) is None
    assert run.new_job(100_013, "---").path.name == "13-job"
    job.keep_result(Result("success"))
    assert job.result.read_bytes() == b'{"status":"success"}'
    assert [path.name for path in job.path.iterdir()] == ["result.json"]
    assert job.trace == job.path / "trace"
    assert job.defect == job.path / "defect.txt"
    assert not job.artifacts.exists()
    with pytest.raises(StorageError):
        run.new_job(100_012, "build: [linux, ../gcc]")
    os.close(lock)


def test_a_result_that_cannot_be_kept(tmp_path: Path) -> None:
    run, lock = DataDirectory.open(tmp_path / "data").new_run()
    job = run.new_job(1, "job")
    job.path.rmdir()
    job.path.write_text("in the way")
    with pytest.raises(StorageError):
        job.keep_result(Result("success"))
    os.close(lock)


def test_the_engine_is_remembered(tmp_path: Path) -> None:
    run, lock = DataDirectory.open(tmp_path / "data").new_run()
    host = Host("tcp://h:2376", Tls("ca", "cert", "key"), proxy="http://user:secret@p:1")
    found: list[Host | None] = [run.engine]
    run.note_engine(host)
    run.note_engine(host)
    found.append(run.engine)
    assert (run.path / "engine").stat().st_mode & 0o077 == 0
    run.forget_engine()
    run.forget_engine()
    found.append(run.engine)
    assert found == [None, host, None]
    os.close(lock)


def test_a_run_whose_process_is_gone_is_taken_once(tmp_path: Path) -> None:
    run, lock = DataDirectory.open(tmp_path).new_run()
    assert run.take() is None
    os.close(lock)
    taken = run.take()
    assert taken is not None
    assert run.take() is None
    os.close(taken)
    (run.path / "lock").unlink()
    assert run.take() is None


def test_the_highest_id_of_a_run(tmp_path: Path) -> None:
    run, lock = DataDirectory.open(tmp_path).new_run()
    os.close(lock)
    assert run.last_id() == JOBS_PER_RUN
    for number in (2, 11):
        run.new_job(JOBS_PER_RUN + number, "job")
    assert run.last_id() == JOBS_PER_RUN + 11
    assert {job.job_id for job in run.jobs()} == {JOBS_PER_RUN + 2, JOBS_PER_RUN + 11}


def test_what_is_kept_for_another_process_goes(tmp_path: Path) -> None:
    run, lock = DataDirectory.open(tmp_path).new_run()
    os.close(lock)
    job = run.new_job(JOBS_PER_RUN + 1, "job")
    run.record.write_text("{}")
    job.payload.write_text("{}")
    for _ in range(2):
        run.forget_records()
    assert not run.record.exists()
    assert not job.payload.exists()
