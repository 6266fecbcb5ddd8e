"""Certificates that a real daemon, or we, must not accept: one sentence, at once, says whose it is
and what is wrong with it. Nothing is tried again at the beginning, where only a person can help.
"""

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from tests.support import machine
from tests.support.certificates import DAY, LOOPBACK, Authority, client_tls, write_all
from tests.support.fault_proxy import FaultProxy, printed
from tests.support.jobs import Project, job_yaml

from tracekeeper.engine.host import Host, Tls

pytestmark = [pytest.mark.docker, pytest.mark.root]

LIFE = 10
"""Seconds that a certificate is good for, and a job has to begin."""
ATTEMPTS = 2
"""Connections that a job may make before it gives up: negotiation, and one more question."""


def server_expired(directory: Path, authority: Authority) -> None:
    new_server(directory, authority, begins=-2 * DAY, ends=-DAY)


def server_not_yet_valid(directory: Path, authority: Authority) -> None:
    new_server(directory, authority, begins=DAY, ends=2 * DAY)


def server_of_another_name(directory: Path, authority: Authority) -> None:
    new_server(directory, authority, names=("docker.example.org", "192.0.2.7"))


def server_of_another_authority(directory: Path, authority: Authority) -> None:
    new_server(directory, Authority("a stranger"))


def client_expired(directory: Path, authority: Authority) -> None:
    new_client(directory, authority, begins=-2 * DAY, ends=-DAY)


def client_of_another_authority(directory: Path, authority: Authority) -> None:
    new_client(directory, Authority("a stranger"))


def client_without(directory: Path, authority: Authority) -> None:
    (directory / "cert.pem").unlink()
    (directory / "key.pem").unlink()


def client_for_servers_only(directory: Path, authority: Authority) -> None:
    authority.sign(directory / "cert.pem", directory / "key.pem", use="server")


def new_server(
    directory: Path,
    authority: Authority,
    *,
    names: Sequence[str] = LOOPBACK,
    begins: timedelta = -DAY,
    ends: timedelta = DAY,
) -> None:
    pair = directory / "server.pem", directory / "server-key.pem"
    authority.sign(*pair, use="server", names=names, begins=begins, ends=ends)


def new_client(
    directory: Path,
    authority: Authority,
    *,
    begins: timedelta = -DAY,
    ends: timedelta = DAY,
) -> None:
    pair = directory / "cert.pem", directory / "key.pem"
    authority.sign(*pair, use="client", begins=begins, ends=ends)


THE_SERVER = ("certificate of localhost",)
THE_CLIENT = ("refused", "our certificate")
WRONG: list[tuple[Callable[[Path, Authority], None], Sequence[str]]] = [
    (server_expired, (*THE_SERVER, "expired")),
    (server_not_yet_valid, (*THE_SERVER, "not yet valid")),
    (server_of_another_name, (*THE_SERVER, "mismatch")),
    (server_of_another_authority, THE_SERVER),
    (client_expired, (*THE_CLIENT, "dates")),
    (client_of_another_authority, (*THE_CLIENT, "CA")),
    (client_without, ("refused", "client", "certificate")),
    (client_for_servers_only, (*THE_CLIENT, "purpose")),
]


@pytest.mark.parametrize(("spoil", "words"), WRONG, ids=[spoil.__name__ for spoil, _ in WRONG])
def test_wrong_certificates(
    project: Project,
    tmp_path: Path,
    spoil: Callable[[Path, Authority], None],
    words: Sequence[str],
) -> None:
    authority = Authority()
    directory = write_all(tmp_path / "tls", authority)
    spoil(directory, authority)
    with (
        machine.started(tls=directory) as engine,
        printed(FaultProxy(engine.tls_url, "tcp://127.0.0.1:0")) as proxy,
    ):
        run = project.run(through(proxy, client_tls(directory)), job_yaml("true"))
        job = run.job()
    print(job.message)
    assert (run.code, job.status, job.reason) == (1, "failed", "runner_system_failure")
    for word in words:
        assert word in job.message + job.notes, job
    assert proxy.connections <= ATTEMPTS


def through(proxy: FaultProxy, tls: Tls, *, patience: float = 30) -> Host:
    """The engine, by the name that its certificate has."""
    return Host(proxy.url.replace("127.0.0.1", "localhost"), tls=tls, patience=patience)


def test_an_engine_that_wants_no_certificate(project: Project, certificates: Path) -> None:
    with machine.started(tls=certificates, verify_clients=False) as engine:
        host = Host(engine.tls_url, tls=Tls(ca=str(certificates / "ca.pem")))
        job = project.run(host, job_yaml("echo hello")).job()
        assert (job.status, job.written, job.verdict) == ("success", b"hello\n", "proven")


def test_the_clients_certificate_expires_under_the_job(
    project: Project, tmp_path: Path, faults_full: bool
) -> None:
    """Connections that stand live on. Once they are gone, no other can be had."""
    for cut in (True, False) if faults_full else (True,):
        check_job_of_an_expiring_client(project, tmp_path / str(cut), cut=cut)


def check_job_of_an_expiring_client(project: Project, place: Path, *, cut: bool) -> None:
    place.mkdir()
    authority = Authority()
    directory = write_all(place / "tls", authority)
    with (
        machine.started(tls=directory) as engine,
        printed(FaultProxy(engine.tls_url, "tcp://127.0.0.1:0")) as proxy,
    ):
        new_client(directory, authority, ends=timedelta(seconds=LIFE))
        over = int(time.time()) + LIFE + 1
        host = through(proxy, client_tls(directory), patience=3)
        wait = f"while [ $(date +%s) -lt {over} ]; do sleep 0.2; done"
        run = project.start(host, job_yaml(f"seq 1 500; {wait}; echo late; sleep 1; seq 501 1000"))
        run.until("late\n")
        if cut:
            proxy.cut_all()
        job = run.end().job()
        if job.is_green:
            numbers = "\n".join(map(str, (*range(1, 501), "late", *range(501, 1001))))
            assert job.written == numbers.encode() + b"\n"
        else:
            assert job.is_loud
            assert "certificate" in job.message
        if engine.left():
            assert any("certificate" in warning for warning in run.warnings)
        assert not (cut and job.is_green)
