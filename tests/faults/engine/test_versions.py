"""Daemons of every age: API 1.41 as it is, and one that demands 1.44 and answers as Engine 29."""

import os
import subprocess
import zipfile
from pathlib import Path

import pytest
from tests.support.engine29 import engine29
from tests.support.jobs import Project, job_yaml
from tests.support.machine import Machine

from tracekeeper.engine.host import Host

pytestmark = [pytest.mark.docker, pytest.mark.root]

SCRIPT = """\
seq 1 3000
printf 'prompt? '
sleep 2.5
wget -q -O - http://web:8000/cgi-bin/../page
mkdir -p out; seq 1 20000 >out/numbers"""
PIPELINE = job_yaml(
    SCRIPT,
    services=[
        {
            "name": "busybox:latest",
            "alias": "web",
            "command": ["sh", "-c", "echo served >/page; exec httpd -f -p 8000 -h /"],
            "variables": {"HEALTHCHECK_TCP_PORT": "8000"},
        }
    ],
    after_script=["echo after"],
    artifacts={"paths": ["out"]},
    cache={"key": "k", "paths": ["out"]},
)


def check_whole_job(project: Project, host: Host) -> None:
    run = project.run(host, PIPELINE)
    job = run.job()
    print(job.message, job.notes)
    numbers = "".join(f"{n}\n" for n in range(1, 3001))
    assert job.written == f"{numbers}prompt? served\nafter\n".encode()
    assert (job.status, job.verdict) == ("success", "proven")
    (kept,) = project.root.glob(".tracekeeper/runs/**/artifacts.zip")
    assert zipfile.ZipFile(kept).read("out/numbers").count(b"\n") == 20_000
    assert any(e["type"] == "preview" and "prompt? " in e["text"] for e in run.events)


def test_a_whole_job_by_api_1_41(shared: Machine, project: Project) -> None:
    assert shared.api("GET", "/version")["ApiVersion"] == "1.41"
    check_whole_job(project, Host(shared.url))
    assert shared.left() == []


def test_a_whole_job_by_an_engine_that_demands_1_44(
    shared: Machine, project: Project, tmp_path: Path
) -> None:
    listen = tmp_path / "29.sock"
    with engine29(shared.home / "docker.sock", listen) as server:
        check_whole_job(project, Host(f"unix://{listen}"))
    assert server.refused == []
    assert sum("/v1.52/" in line for line in server.asked) > 10
    assert shared.left() == []


def test_the_stand_in_is_one_to_the_docker_cli(shared: Machine, tmp_path: Path) -> None:
    """A client that we did not write agrees on a version with it and runs a container; one that
    is kept at 1.43 is refused in the words of Engine 29."""
    listen = tmp_path / "29.sock"
    with engine29(shared.home / "docker.sock", listen):

        def docker(*words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
            return subprocess.run(
                ["docker", "--host", f"unix://{listen}", *words],
                env={**os.environ, **variables},
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )

        ran = docker("run", "--rm", "busybox", "echo", "hello")
        refused = docker("ps", DOCKER_API_VERSION="1.43")
    if "client version 1.41 is too old" not in ran.stderr:  # a client of Engine 20.10
        assert (ran.stdout, ran.returncode) == ("hello\n", 0), ran.stderr
    assert "client version 1.43 is too old. Minimum supported API version is 1.44" in refused.stderr
