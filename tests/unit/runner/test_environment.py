"""The environment of a job's processes."""

from tracekeeper.protocol.payload import JobInfo, JobPayload, JobVariable, RunnerInfo
from tracekeeper.runner.environment import environment


def payload(*variables: JobVariable) -> JobPayload:
    info = JobInfo(id=1, name="job", stage="test")
    return JobPayload(1, "", info, variables, (), runner_info=RunnerInfo(timeout=60))


def test_the_runner_s_own_variables() -> None:
    assert environment(payload(), "/builds/group/project").values == {
        "CI_BUILDS_DIR": "/builds/group",
        "CI_PROJECT_DIR": "/builds/group/project",
        "CI_CONCURRENT_ID": "0",
        "CI_CONCURRENT_PROJECT_ID": "0",
        "CI_SERVER": "yes",
        "CI_JOB_STATUS": "running",
        "CI_JOB_TIMEOUT": "60",
        "CI_DISPOSABLE_ENVIRONMENT": "true",
        "RUNNER_TEMP_PROJECT_DIR": "/builds/group/project.tmp",
    }


def test_a_shared_machine_and_a_status() -> None:
    values = environment(payload(), "/p", status="failed", shared=True).values
    assert values["CI_SHARED_ENVIRONMENT"] == "true"
    assert "CI_DISPOSABLE_ENVIRONMENT" not in values
    assert values["CI_JOB_STATUS"] == "failed"
    assert values["CI_BUILDS_DIR"] == "/"


def test_the_job_s_variables_win_over_the_runner_s_defaults_only() -> None:
    mine = environment(
        payload(JobVariable("CI_SERVER", "no"), JobVariable("RUNNER_TEMP_PROJECT_DIR", "/x")), "/p"
    )
    assert mine.values["CI_SERVER"] == "no"
    assert mine.values["RUNNER_TEMP_PROJECT_DIR"] == "/p.tmp"


def test_references_reach_the_runner_s_variables() -> None:
    mine = environment(payload(JobVariable("CACHE", "$CI_PROJECT_DIR/.cache")), "/$p")
    assert mine.values["CACHE"] == "/$p/.cache"


def test_file_variables() -> None:
    mine = environment(
        payload(
            JobVariable("KEY", "secret $N", file=True),
            JobVariable("N", "1"),
            JobVariable("AT", "$KEY"),
        ),
        "/p",
    )
    assert mine.values["KEY"] == "/p.tmp/KEY"
    assert mine.values["AT"] == "/p.tmp/KEY"
    assert mine.files == {"/p.tmp/KEY": "secret 1"}


def test_a_stronger_plain_variable_replaces_a_file_variable() -> None:
    mine = environment(payload(JobVariable("A", "f", file=True), JobVariable("A", "plain")), "/p")
    assert mine.values["A"] == "plain"
    assert mine.files == {}


def test_expand() -> None:
    assert environment(payload(JobVariable("TAG", "3")), "/p").expand("image:$TAG") == "image:3"


def test_masked_values_are_the_final_ones() -> None:
    mine = environment(
        payload(
            JobVariable("A", "old", masked=True),
            JobVariable("A", "x$B", masked=True),
            JobVariable("B", "y"),
            JobVariable("F", "in a file", file=True, masked=True),
        ),
        "/p",
    )
    assert mine.masked == ("xy", "in a file")
