"""The jobs that a person named."""

import pytest

from tracekeeper.errors import UsageError
from tracekeeper.pipeline.config import AllowFailure, JobConfig, When
from tracekeeper.pipeline.pipeline import Job, JobNeed, Pipeline
from tracekeeper.pipeline.selection import select
from tracekeeper.problems import Position


def job(
    name: str,
    stage: int,
    *,
    needs: list[str] | None = None,
    when: When = "on_success",
    may_fail: bool = False,
    of: str = "",
) -> Job:
    return Job(
        name,
        JobConfig(of or name, Position("f", 1, 1)),
        stage,
        when,
        allow_failure=AllowFailure(may_fail),
        needs=None if needs is None else tuple(map(JobNeed, needs)),
    )


JOBS = [
    job("setup", 0),
    job("build 1/2", 1, of="build"),
    job("build 2/2", 1, of="build"),
    job("extra", 1, when="manual", may_fail=True),
    job("approve", 1, when="manual"),
    job("lint", 1, needs=[]),
    job("unit", 2, needs=["build 1/2", "build 2/2", "lint"]),
    job("deploy", 3, needs=["unit", "extra"], when="manual"),
    job("notify", 3, when="delayed"),
]
PIPELINE = Pipeline((), {one.name: one for one in JOBS})


def chosen(*names: str, with_needs: bool = False) -> list[str]:
    return list(select(PIPELINE, names, with_needs=with_needs).jobs)


def test_jobs_keep_their_order() -> None:
    assert chosen("unit", "setup") == ["setup", "unit"]
    assert chosen() == []


def test_a_parallel_job_is_all_its_instances() -> None:
    assert chosen("build") == ["build 1/2", "build 2/2"]
    assert chosen("build 2/2") == ["build 2/2"]


def test_a_named_manual_job_is_played() -> None:
    jobs = select(PIPELINE, ["deploy", "notify"]).jobs
    assert (jobs["deploy"].when, jobs["notify"].when) == ("on_success", "delayed")


def test_needs_of_jobs_that_are_not_selected_are_dropped() -> None:
    jobs = select(PIPELINE, ["unit", "lint", "setup"]).jobs
    assert jobs["unit"].needs == (JobNeed("lint"),)
    assert jobs["lint"].needs == ()
    assert jobs["setup"].needs is None


def test_needs_are_added_again_and_again() -> None:
    expected = ["setup", "build 1/2", "build 2/2", "extra", "approve", "lint", "unit", "deploy"]
    assert chosen("deploy", with_needs=True) == [name for name in expected if name != "approve"]
    assert chosen("lint", with_needs=True) == ["lint"]


def test_a_job_that_follows_the_stages_needs_all_earlier_ones() -> None:
    assert chosen("build 1/2", with_needs=True) == ["setup", "build 1/2"]
    found = select(PIPELINE, ["notify"], with_needs=True).jobs
    assert "extra" not in found
    assert "deploy" not in found
    assert found["approve"].when == "on_success"
    assert found["unit"].needs == PIPELINE.jobs["unit"].needs


def test_a_needed_job_that_is_already_gone_stays_gone() -> None:
    part = select(PIPELINE, ["unit", "lint"])
    gone = Pipeline((), {"unit": PIPELINE.jobs["unit"]})
    assert list(select(part, ["unit"], with_needs=True).jobs) == ["lint", "unit"]
    assert list(select(gone, ["unit"], with_needs=True).jobs) == ["unit"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("biuld", "did you mean 'build'?"),
        ("zzzzzz", "`tracekeeper list` shows the jobs there are"),
    ],
)
def test_an_unknown_job_is_named_with_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(UsageError, match=f"no job '{name}'") as raised:
        select(PIPELINE, ["unit", name])
    assert raised.value.hint == hint
