"""What other people do to a job's container, network and image, and what the kernel does.

The job says what happened; what was written before it is in the trace, which is proven only if it
is all of it.
"""

import json
import signal
import time
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from tests.support import machine
from tests.support.fault_proxy import FaultProxy, printed
from tests.support.jobs import Project, Run, job_yaml
from tests.support.machine import Machine

from tracekeeper.engine.host import Host

pytestmark = [pytest.mark.docker, pytest.mark.root]

BEGINS = "seq 1 100; echo begun; sleep 60; echo never"
WRITTEN = b"".join(b"%d\n" % n for n in range(1, 101)) + b"begun\n"
NAME = "name=tracekeeper"


def begun(project: Project, engine: Machine, **more: object) -> Run:
    """A job that has written its first lines and now sleeps."""
    return project.start(Host(engine.url, patience=10), job_yaml(BEGINS, **more)).until("begun\n")


def container(engine: Machine) -> str:
    """The job's container."""
    found = engine.docker("ps", "--quiet", "--filter", NAME).stdout.decode().split()
    assert len(found) == 1, found
    return found[0]


def test_removed_while_the_script_runs(shared: Machine, project: Project) -> None:
    run = begun(project, shared)
    shared.docker("rm", "--force", container(shared))
    job = run.end().job()
    assert (job.status, job.verdict, job.written) == ("failed", "unproven", WRITTEN)
    assert "removed" in job.message
    assert job.exit_code is None
    assert shared.left() == []


def test_removed_while_after_script_runs(shared: Machine, project: Project) -> None:
    pipeline = job_yaml("echo fine", after_script=["echo after; sleep 60; echo never"])
    run = project.start(Host(shared.url), pipeline).until("after\n")
    shared.docker("rm", "--force", container(shared))
    job = run.end().job()
    assert (job.status, job.verdict) == ("failed", "unproven")
    assert "removed" in job.message + job.notes
    assert job.written == b"fine\nafter\n"


def test_removed_before_artifacts_are_fetched(
    shared: Machine, project: Project, tmp_path: Path
) -> None:
    """Files that are gone with their container are not files that never were."""
    gone = tmp_path / "gone"
    planted = f"""
import os, time
from tracekeeper.engine.containers import Containers
real = Containers.get_archive
def get_archive(self, container, path):
    while path.endswith("/kept") and not os.path.exists({str(gone)!r}):
        time.sleep(0.02)
    return real(self, container, path)
Containers.get_archive = get_archive
"""
    pipeline = job_yaml("echo text >kept", artifacts={"paths": ["kept"]})
    run = project.start(Host(shared.url), pipeline, planted=planted).until("upload_artifacts")
    shared.docker("rm", "--force", *shared.docker("ps", "--all", "--quiet").stdout.decode().split())
    gone.touch()
    job = run.end().job()
    print(job.notes)
    assert not job.is_green
    assert "removed" in job.message


def test_removed_while_artifacts_are_fetched(shared: Machine, project: Project) -> None:
    """Whoever is faster: no job is green whose artifacts are not whole."""
    size = 30_000_000
    script = f"head -c {size} /dev/urandom >big; echo made"
    pipeline = job_yaml(script, artifacts={"paths": ["big"]}, after_script=["echo after"])
    run = project.start(Host(shared.url), pipeline).until("upload_artifacts")
    shared.docker("rm", "--force", *shared.docker("ps", "--all", "--quiet").stdout.decode().split())
    job = run.end().job()
    print(job.notes)
    assert job.written.endswith(b"made\nafter\n")
    if job.is_green:
        (kept,) = project.root.glob(".tracekeeper/runs/**/artifacts.zip")
        assert zipfile.ZipFile(kept).getinfo("big").file_size == size
    else:
        assert job.message
    assert shared.left() == []


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_ended_by_somebody(shared: Machine, project: Project, how: str) -> None:
    run = begun(project, shared)
    shared.docker(how, *(("-t", "1") if how == "stop" else ()), container(shared))
    job = run.end().job()
    print(job.message)
    assert (job.status, job.verdict) == ("failed", "unproven")
    assert job.written == WRITTEN
    assert shared.left() == []


def test_paused_and_taken_up_again(shared: Machine, project: Project) -> None:
    """A paused container is quiet, not gone."""
    script = "seq 1 100; echo begun; seq 101 200; sleep 1; echo end"
    planted = "from tracekeeper.runner.executors import container\ncontainer.QUESTION = 0.5\n"
    run = project.start(Host(shared.url, patience=5), job_yaml(script), planted=planted)
    run.until("begun\n")
    name = container(shared)
    shared.docker("pause", name)
    time.sleep(4)  # several questions long
    shared.docker("unpause", name)
    job = run.end().job()
    numbers = [*range(1, 101), "begun", *range(101, 201), "end"]
    assert job.written == "".join(f"{n}\n" for n in numbers).encode()
    assert (job.status, job.verdict) == ("success", "proven")
    assert [e for e in run.events if e["type"] == "connection_broke"] == []


def test_out_of_memory(shared: Machine, project: Project) -> None:
    run = begun(project, shared)
    name = container(shared)
    shared.docker("update", "--memory", "8m", "--memory-swap", "8m", name)
    hog = "head -c 40000000 /dev/zero | tail -c 40000000 >/dev/null"
    shared.docker("exec", "--detach", name, "sh", "-c", f"{hog}; kill -9 -1")
    job = run.end().job()
    print(job.message)
    assert job.status == "failed"
    assert job.written[: len(WRITTEN)] == WRITTEN


def test_network_and_image_removed(shared: Machine, project: Project) -> None:
    """Both are refused by the engine while they are in use; forced, they cost the job nothing."""
    service = [{"name": "busybox:latest", "command": ["sleep", "60"]}]
    script = "seq 1 100; echo begun; sleep 2; echo end"
    run = project.start(Host(shared.url), job_yaml(script, services=service)).until("begun\n")
    for network in shared.docker("network", "ls", "--quiet", "--filter", NAME).stdout.split():
        for joined in shared.api("GET", f"/networks/{network.decode()}")["Containers"]:
            with suppress(AssertionError):  # a container that has ended just now
                shared.docker("network", "disconnect", "--force", network.decode(), joined)
        shared.docker("network", "rm", network.decode())
    shared.docker("tag", "busybox:latest", "kept:latest")
    shared.docker("rmi", "--force", "--no-prune", "busybox:latest")
    try:
        job = run.end().job()
        assert (job.status, job.verdict) == ("success", "proven")
        assert job.written == WRITTEN + b"end\n"
        assert shared.left() == []
    finally:
        shared.docker("tag", "kept:latest", "busybox:latest")


def test_the_hosts_default_rotation_is_not_the_jobs(project: Project, shared: Machine) -> None:
    """A host's daemon.json may keep 60 kB of a log, or nothing: a job's log has its own settings,
    its services' too."""
    defaults: list[dict[str, object]] = [
        {"log-driver": "json-file", "log-opts": {"max-size": "20k", "max-file": "3"}},
        {"log-driver": "local", "log-opts": {"max-size": "20k", "max-file": "2"}},
        {"log-driver": "none"},
    ]
    for config in defaults:
        print(json.dumps(config))
        with machine.started(config=config) as engine:
            job = project.run(Host(engine.url), job_yaml("seq 1 20000")).job()
        assert job.written == b"".join(b"%d\n" % n for n in range(1, 20_001))
        assert (job.status, job.verdict) == ("success", "proven")


def test_ours_sleeps_and_its_connections_die(shared: Machine, project: Project) -> None:
    """A laptop that is closed for a while."""
    with printed(FaultProxy(shared.url, f"unix://{project.home}/p.sock")) as proxy:
        script = "seq 1 100; echo begun; for i in 1 2 3 4 5 6; do sleep 0.5; seq 1 2000; done"
        run = project.start(Host(proxy.url, patience=10), job_yaml(script)).until("begun\n")
        run.signal(signal.SIGSTOP)
        time.sleep(1)
        proxy.cut_all()
        time.sleep(3)
        run.signal(signal.SIGCONT)
        job = run.end().job()
    assert job.written == WRITTEN + b"".join(b"%d\n" % n for n in range(1, 2001)) * 6
    assert (job.status, job.verdict) == ("success", "proven")
    assert any(e["type"] == "connection_broke" for e in run.events)
