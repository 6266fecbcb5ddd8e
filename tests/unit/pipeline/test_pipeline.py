from tracekeeper.pipeline.config import JobConfig
from tracekeeper.pipeline.pipeline import Job
from tracekeeper.problems import Position


def test_a_job_is_in_the_stage_of_its_config() -> None:
    config = JobConfig("build", Position("f", 1, 1), stage="compile")
    assert Job("build 1/2", config, stage_index=1, when="always").stage == "compile"
