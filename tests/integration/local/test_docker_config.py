"""`tracekeeper run --docker-config`, from the command line to the container."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.jobs import Project, job_yaml, project

from tracekeeper.engine.host import Host

pytestmark = pytest.mark.docker


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Project]:
    with project(tmp_path) as made:
        yield made


def config(here: Project, text: str) -> tuple[str, str]:
    file = here.home / "config.toml"
    file.write_text(text)
    return "--docker-config", str(file)


def test_a_job_runs_as_the_file_says(here: Project, engine_url: str) -> None:
    text = """
    [[runners]]
    shell = "bash"
    [runners.docker]
    user = "4711"
    memry = "1g"
    """
    run = here.run(Host(engine_url), job_yaml("id -u"), *config(here, text))
    assert run.job().written == b"4711\n"
    file = here.home / "config.toml"
    assert f"{file}: unknown key memry in [runners.docker]; did you mean `memory`?" in run.warnings
    assert f"{file}: known, not acted on: shell in [[runners]]; it is the runner's" in run.warnings


def test_a_job_without_an_image_gets_the_files(here: Project, engine_url: str) -> None:
    arguments = ("--executor", "auto", *config(here, "[runners.docker]\nimage = 'busybox:latest'"))
    run = here.run(Host(engine_url), '{"job": {"script": ["cat /etc/hostname"]}}', *arguments)
    job = run.job()
    assert job.is_green
    assert "Using the local image busybox:latest" in job.notes


def test_a_file_that_is_wrong_is_the_end(here: Project, engine_url: str) -> None:
    text = "[runners.docker]\nmemory = 512\ncpus = 'two'"
    run = here.run(Host(engine_url), job_yaml("true"), *config(here, text))
    assert run.code == 2
    assert run.events == []
    assert "memory in [runners.docker] has a wrong value: write text in quotes" in run.errors
    assert "cpus in [runners.docker] has a wrong value: 'two' is not a number" in run.errors


def test_what_the_engine_refuses_fails_the_job(here: Project, engine_url: str) -> None:
    text = "[runners.docker]\ndevices = ['/dev/none']"
    run = here.run(Host(engine_url), job_yaml("true"), *config(here, text))
    job = run.job()
    assert job.message.endswith("(devices in [runners.docker])")
    assert job.reason in {"script_failure", "runner_configuration_error"}
