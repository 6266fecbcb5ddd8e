"""An engine that says nothing: frozen, behind a proxy that holds everything back, behind a network
that is gone. It is noticed, said, waited for, and the job goes on; or it ends, and says why.

Times are scaled: `QUESTION`, after which a quiet engine is asked, from 20 s to 1 s, and the time
that it has to answer from 10 s to 1 s. By the defaults the same takes 30 s.
"""

import time
from collections.abc import Callable

import msgspec
import pytest
from tests.support.fault_proxy import Fault, FaultProxy, printed
from tests.support.jobs import Job, Project, Run, job_yaml
from tests.support.machine import Machine

from tracekeeper.engine.host import Host, Tls
from tracekeeper.net.lab import Lab
from tracekeeper.sockets.options import Keepalive

pytestmark = [pytest.mark.docker, pytest.mark.root]

SCALED = """
from tracekeeper.engine import client
from tracekeeper.engine.http import Timeouts
from tracekeeper.runner.executors import container, docker
container.QUESTION = 1.0
docker.CLEANUP_PATIENCE = 1.0
client._PROBE = Timeouts(answer=1.0, silence=1.0)
"""
QUICK = Keepalive(idle=1, interval=1, count=2, user_timeout=3)
SCRIPT = (
    "seq 1 100; echo begun; i=0; while [ $i -lt 60 ]; do seq 1 100; sleep 0.1; i=$((i+1)); done"
)
WRITTEN = b"".join(b"%d\n" % n for n in range(1, 101))
EXPECTED = WRITTEN + b"begun\n" + WRITTEN * 60


def check(run: Run) -> Job:
    """The break was noticed and told, and the trace is whole."""
    job = run.end().job()
    print(job.message, job.notes)
    broke = [event for event in run.events if event["type"] == "connection_broke"]
    assert broke
    assert all(event["recovered"] for event in broke)
    assert "WARNING: the connection to" in job.notes
    assert job.written == EXPECTED
    assert (job.status, job.verdict) == ("success", "proven"), job
    return job


def test_a_frozen_engine(shared: Machine, project: Project) -> None:
    host = Host(shared.url, patience=60)
    run = project.start(host, job_yaml(SCRIPT), planted=SCALED).until("begun\n")
    shared.freeze()
    try:
        run.until("does not answer")
    finally:
        shared.thaw()
    check(run)
    assert shared.left() == []


def test_an_engine_that_stays_frozen(shared: Machine, project: Project) -> None:
    host = Host(shared.url, patience=2)
    run = project.start(host, job_yaml("echo begun; sleep 5"), planted=SCALED).until("begun\n")
    shared.freeze()
    try:
        job = run.end().job()
    finally:
        shared.thaw()
    print(job.message)
    assert (job.status, job.reason) == ("failed", "runner_system_failure")
    assert job.verdict == "unproven"
    assert "is gone" in job.message
    assert run.warnings
    project.run(Host(shared.url), job_yaml("true"))
    assert shared.left() == []


@pytest.mark.parametrize("secured", [False, True])
def test_everything_is_held_back(
    shared: Machine, project: Project, tls: Tls, secured: bool
) -> None:
    upstream = shared.tls_url if secured else shared.url
    listen = "tcp://127.0.0.1:0" if secured else f"unix://{project.home}/p.sock"
    with printed(FaultProxy(upstream, listen)) as proxy:
        host = Host(proxy.url, tls=tls if secured else None, patience=60)
        run = project.start(host, job_yaml(SCRIPT), planted=SCALED).until("begun\n")
        proxy.pause()
        run.until("does not answer")
        proxy.resume()
        check(run)
    assert shared.left() == []


@pytest.mark.parametrize("kind", ["stall", "half-open"])
def test_one_connection_falls_silent(shared: Machine, project: Project, kind: str) -> None:
    """The log's own, while others can be had: nobody but a second question can tell."""

    def plan(_connection: int) -> list[Fault]:
        return [Fault("stall" if kind == "stall" else "half-open", "down", 9000)] * (not met)

    met: list[str] = []
    with printed(FaultProxy(shared.url, f"unix://{project.home}/p.sock", plan)) as proxy:
        host = Host(proxy.url, patience=60, preview=False)
        run = project.start(host, job_yaml(SCRIPT), planted=SCALED)
        until(lambda: bool(proxy.injected))
        met.append("now")
        job = run.end().job()
    print(job.message, job.notes)
    assert job.written == EXPECTED
    assert (job.status, job.verdict) == ("success", "proven")
    broke = [event for event in run.events if event["type"] == "connection_broke"]
    assert ["log has gone on" in event["cause"] for event in broke] == [True]


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that happens in another thread."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_network_is_gone_for_a_while(lab: Lab, project: Project) -> None:
    """Packets are dropped both ways: the kernel's keepalive tells, here after 3 s for 45."""
    host = msgspec.structs.replace(lab.host, keepalive=QUICK, patience=60.0)
    with lab.inside():
        run = project.start(host, job_yaml(SCRIPT)).until("begun\n")
    lab.cut()
    run.until("waiting up to 60 s")
    time.sleep(2)
    lab.mend()
    check(run)
