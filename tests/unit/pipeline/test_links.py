"""``needs``, resolved to the jobs of a pipeline."""

from collections.abc import Callable, Mapping

import pytest

from tracekeeper.errors import InvalidPipeline
from tracekeeper.pipeline.config import Config, Need
from tracekeeper.pipeline.links import link
from tracekeeper.pipeline.matrix import instances
from tracekeeper.pipeline.pipeline import Job, JobNeed
from tracekeeper.problems import Position

ReadConfig = Callable[[str], Config]

TEXT = """
stages: [build, test]
build: {stage: build, script: [x], parallel: 2}
lint: {stage: build, script: [x]}
test: {stage: test, script: [x]}
report: {stage: test, script: [x]}
"""


def need(job: str, *, line: int = 1, optional: bool = False, artifacts: bool = True) -> Need:
    return Need(job, Position("f", line, 1), artifacts=artifacts, optional=optional)


@pytest.fixture
def linked(config_of: ReadConfig) -> Callable[..., dict[str, Job]]:
    config = config_of(TEXT)
    order = {stage: index for index, stage in enumerate(config.stages)}
    jobs = {
        instance.name: Job(instance.name, job, order[job.stage], "on_success")
        for job in config.jobs.values()
        for instance in instances(job)
    }

    def link_jobs(needs: Mapping[str, list[Need]], without: str = "") -> dict[str, Job]:
        return link(config, {name: jobs[name] for name in jobs if name != without}, needs)

    return link_jobs


def problems(linked: Callable[..., dict[str, Job]], *args: object) -> list[tuple[str, int]]:
    with pytest.raises(InvalidPipeline) as raised:
        linked(*args)
    return [(problem.code, problem.at.line) for problem in raised.value.problems]


def test_needs_become_jobs(linked: Callable[..., dict[str, Job]]) -> None:
    jobs = linked({"test": [need("build"), need("lint", artifacts=False)], "report": []})
    assert jobs["test"].needs == (
        JobNeed("build 1/2"),
        JobNeed("build 2/2"),
        JobNeed("lint", artifacts=False),
    )
    assert jobs["report"].needs == ()
    assert jobs["lint"].needs is None


def test_one_instance_may_be_needed_by_its_name(linked: Callable[..., dict[str, Job]]) -> None:
    assert linked({"test": [need("build 2/2")]})["test"].needs == (JobNeed("build 2/2"),)


def test_a_job_needed_twice_is_needed_once(linked: Callable[..., dict[str, Job]]) -> None:
    jobs = linked({"test": [need("build"), need("build 2/2")]})
    assert jobs["test"].needs == (JobNeed("build 1/2"), JobNeed("build 2/2"))


def test_jobs_of_one_stage_may_need_each_other(linked: Callable[..., dict[str, Job]]) -> None:
    assert linked({"report": [need("test")]})["report"].needs == (JobNeed("test"),)


def test_a_job_that_rules_left_out_cannot_be_needed(linked: Callable[..., dict[str, Job]]) -> None:
    needs = {"test": [need("build"), need("lint", line=7)]}
    assert problems(linked, needs, "lint") == [("missing_need", 7)]
    with pytest.raises(InvalidPipeline, match="`test` needs job `lint`, which is not in this"):
        linked(needs, "lint")


def test_but_needed_where_it_exists(linked: Callable[..., dict[str, Job]]) -> None:
    needs = {"test": [need("lint", optional=True), need("never", optional=True)]}
    assert linked(needs)["test"].needs == (JobNeed("lint"),)
    assert linked(needs, "lint")["test"].needs == ()


def test_a_later_stage_cannot_be_needed(linked: Callable[..., dict[str, Job]]) -> None:
    assert problems(linked, {"lint": [need("test", line=4)]}) == [("later_stage", 4)]


def test_a_circle_is_named(linked: Callable[..., dict[str, Job]]) -> None:
    with pytest.raises(
        InvalidPipeline, match=r"circle: (test → report → test|report → test → rep)"
    ):
        linked({"test": [need("report")], "report": [need("test")]})
    assert problems(linked, {"test": [need("test", line=5)]}) == [("cycle", 5)]


def test_every_problem_is_found_once_and_in_order(linked: Callable[..., dict[str, Job]]) -> None:
    wrong = [need("lint", line=9), need("nothing", line=3)]
    needs = {"test": wrong, "build 1/2": wrong[1:], "build 2/2": wrong[1:]}
    assert problems(linked, needs, "lint") == [
        ("missing_need", 3),
        ("missing_need", 3),
        ("missing_need", 9),
    ]
