"""Which containers are kept, and what is remembered of them."""

import os
from pathlib import Path

import pytest

from tracekeeper.engine.host import Host
from tracekeeper.errors import StorageError
from tracekeeper.local.data import JOBS_PER_RUN, DataDirectory
from tracekeeper.local.keeping import Keep, KeepWhen


@pytest.mark.parametrize(
    ("when", "wanted"),
    [("never", []), ("failed", ["failed"]), ("always", ["success", "failed", "canceled"])],
)
def test_after_which_ends(when: KeepWhen, wanted: list[str]) -> None:
    ends = ("success", "failed", "canceled")
    assert [end for end in ends if Keep(when).wants(end)] == wanted


def test_what_a_person_has_to_type() -> None:
    sentence = Keep("failed", "tracekeeper debug -C 'my project'").sentence("test: [a, b]")
    assert "`tracekeeper debug -C 'my project' 'test: [a, b]'` opens a shell in it" in sentence
    assert "`tracekeeper debug -C 'my project' --remove 'test: [a, b]'` removes it" in sentence


def test_a_kept_job_is_remembered_with_its_engine(tmp_path: Path) -> None:
    run, lock = DataDirectory.open(tmp_path).new_run()
    os.close(lock)
    job = run.new_job(JOBS_PER_RUN + 2, "test")
    run.new_job(JOBS_PER_RUN + 3, "other")
    assert (job.kept, run.kept_jobs()) == (None, [])
    job.note_kept(Host("tcp://a:1", proxy="http://me:secret@proxy"))
    assert job.kept == Host("tcp://a:1", proxy="http://me:secret@proxy")
    assert (job.path / "kept").stat().st_mode & 0o077 == 0
    assert [kept.job_id for kept in run.kept_jobs()] == [JOBS_PER_RUN + 2]
    (job.path / "kept").write_text("{")
    with pytest.raises(StorageError, match="is damaged"):
        _ = job.kept
    job.forget_kept()
    job.forget_kept()
    assert run.kept_jobs() == []
