"""What the faults of engines share: a machine with a real daemon, also by TLS, and a project."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import jobs, machine
from tests.support.certificates import Authority, client_tls, write_all
from tests.support.jobs import Project
from tests.support.machine import Machine

from tracekeeper.engine.host import Tls


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates that are as they should be."""
    return write_all(tmp_path_factory.mktemp("tls") / "good", Authority())


@pytest.fixture(scope="session")
def tls(certificates: Path) -> Tls:
    """What a client of `shared` has to be told."""
    return client_tls(certificates)


@pytest.fixture(scope="session")
def _shared(certificates: Path) -> Iterator[Machine]:
    with machine.started(tls=certificates) as started:
        yield started


@pytest.fixture
def shared(_shared: Machine) -> Iterator[Machine]:
    """A machine whose daemon keeps running. What a test leaves there troubles no other test."""
    yield _shared
    _shared.wipe()


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A project of the test's own."""
    with jobs.project(tmp_path / "work") as made:
        yield made
