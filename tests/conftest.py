"""What every test run shares.

- Nothing may be left behind: a process, a container, a network, a volume or a temporary file that
  outlives the session fails it.
- Nothing is left out in silence: with TRACEKEEPER_TEST_ALL=1 a skipped test is a failed test.
- Suites of faults are seeded: TRACEKEEPER_FAULTS=sample|full, TRACEKEEPER_FAULTS_SEED=N.
- In parallel runs (`pytest -n`) all but unit tests run on one worker, one by one.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tracekeeper.net.lab import Lab, LabError

TEST_ALL = os.environ.get("TRACEKEEPER_TEST_ALL") == "1"
SESSION = "TRACEKEEPER_TEST_SESSION"  # in the environment of every process that a test starts
LOCAL_SOCKET = "/var/run/docker.sock"
LEAKS = pytest.StashKey[list[str]]()
SCRATCH = pytest.StashKey[Path]()
OBJECTS_BEFORE = pytest.StashKey[set[str]]()

settings.register_profile("tests", deadline=None, print_blob=True)
settings.load_profile("tests")


# ---------------------------------------------------------------------------- the environment


def pytest_configure(config: pytest.Config) -> None:
    """Give the session a plain environment and a scratch directory of its own."""
    # Who is started in the background ignores SIGINT, and so would everything that tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if _is_worker(config):
        return
    for name in list(os.environ):
        if name.startswith(("CI_", "GITLAB_")) or name in {"CI", "NO_COLOR", "FORCE_COLOR"}:
            del os.environ[name]
    os.environ.update(GIT_CONFIG_GLOBAL=os.devnull, GIT_CONFIG_NOSYSTEM="1")
    os.environ.setdefault("TRACEKEEPER_FAULTS", "sample")
    os.environ.setdefault("TRACEKEEPER_FAULTS_SEED", str(random.SystemRandom().getrandbits(32)))
    os.environ[SESSION] = uuid.uuid4().hex
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
    config.stash[OBJECTS_BEFORE] = _engine_objects()
    config.stash[SCRATCH] = scratch = Path(tempfile.mkdtemp(prefix="tk-"))
    os.environ["TMPDIR"] = tempfile.tempdir = str(scratch)


def pytest_report_header(config: pytest.Config) -> list[str]:
    mode = os.environ["TRACEKEEPER_FAULTS"]
    seed = os.environ["TRACEKEEPER_FAULTS_SEED"]
    return [
        f"faults: {mode}, repeat with TRACEKEEPER_FAULTS_SEED={seed}",
        f"docker: {_engine_missing() or _engine_socket()}",
        *(["all tests: a skipped test is a failure"] if TEST_ALL else []),
    ]


@pytest.fixture(scope="session")
def faults_full() -> bool:
    """Whether a suite of faults runs in full, not as a sample of a few minutes."""
    return os.environ["TRACEKEEPER_FAULTS"] == "full"


@pytest.fixture(scope="session")
def faults_seed() -> int:
    """The seed of this session's random faults; the report's header shows it."""
    return int(os.environ["TRACEKEEPER_FAULTS_SEED"])


# ------------------------------------------------------------------------------ what may run


class OneWorkerForTheMachine(LoadScopeScheduling):  # type: ignore[misc]  # untyped
    """Spreads unit tests by file; whatever shares the machine's resources stays on one worker."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.split("::")[0] if nodeid.startswith("tests/unit/") else "the machine"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    return OneWorkerForTheMachine(config, log)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what this machine cannot run, and say why."""
    if item.get_closest_marker("docker") and (why := _engine_missing()):
        pytest.skip(why)
    if item.get_closest_marker("root") and not (sys.platform == "linux" and os.geteuid() == 0):
        pytest.skip("needs root on Linux")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if TEST_ALL and report.skipped and not hasattr(report, "wasxfail"):
        report.longrepr = f"{item.nodeid} was left out: {_skip_reason(report)}"
        report.outcome = "failed"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if TEST_ALL and report.skipped:
        report.longrepr = f"{collector.nodeid} was left out: {_skip_reason(report)}"
        report.outcome = "failed"
    return report


def _skip_reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    return report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


# -------------------------------------------------------------------------- the Docker Engine


def _engine_socket() -> str:
    return os.environ.get("DOCKER_HOST", "").removeprefix("unix://") or LOCAL_SOCKET


def _engine_missing() -> str:
    """Why no Docker Engine can be had ("" if one answers)."""
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(_engine_socket())
    except OSError as error:
        return f"no Docker Engine answers on {_engine_socket()} ({error.strerror or error})"
    return ""


def _engine_objects() -> set[str]:
    """Every container, volume and network of an engine that only these tests use."""
    if not TEST_ALL or _engine_missing() or not shutil.which("docker"):
        return set()
    listings = (
        ["container", "ls", "--all", "--format", "container {{.ID}} {{.Image}} {{.Names}}"],
        ["volume", "ls", "--format", "volume {{.Name}}"],
        ["network", "ls", "--format", "network {{.ID}} {{.Name}}"],
    )
    return {
        line
        for listing in listings
        for line in subprocess.run(
            ["docker", *listing], capture_output=True, text=True, check=True, timeout=60
        ).stdout.splitlines()
    }


# ------------------------------------------------------------------------------- the lab


@pytest.fixture(scope="session")
def whole_lab() -> Iterator[Lab]:
    """The session's lab, as the last test left it: use `lab`."""
    with contextlib.ExitStack() as stack:
        try:
            lab = stack.enter_context(Lab())
        except LabError as error:
            pytest.skip(f"{error.message} ({error.hint})")
        yield lab


@pytest.fixture
def lab(whole_lab: Lab) -> Iterator[Lab]:
    """A lab whose firewall drops what has been idle for 10 s. Its containers do not outlive the
    test, which may do to the rest what it likes."""
    whole_lab.mend()
    whole_lab.set_variant(10, "drop")
    yield whole_lab
    whole_lab.mend()
    whole_lab.ensure_engine()
    left = whole_lab.ask("GET", "/containers/json?all=1")
    for container in left:
        whole_lab.ask("DELETE", f"/containers/{container['Id']}?force=1&v=1")
    assert not left, f"left in the lab: {[container['Names'] for container in left]}"


# ----------------------------------------------------------------------------- what is left


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a session that leaves anything behind, name it, and remove it."""
    config = session.config
    if _is_worker(config):
        return
    before = config.stash[OBJECTS_BEFORE]
    leaks = [*_left_processes(), *_left_files(config.stash[SCRATCH])]
    leaks += sorted(_engine_objects() - before)
    shutil.rmtree(config.stash[SCRATCH], ignore_errors=True)
    config.stash[LEAKS] = leaks
    if leaks and session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    leaks = config.stash.get(LEAKS, [])
    if not leaks:
        return
    terminalreporter.section("left behind by the tests", red=True, bold=True)
    for leak in leaks:
        terminalreporter.line(leak)


def _left_processes() -> list[str]:
    """Kill and describe each process that still carries this session's mark (Linux only)."""
    mark = f"{SESSION}={os.environ[SESSION]}".encode()
    left = []
    for process in Path("/proc").glob("[0-9]*"):
        pid = int(process.name)
        try:
            if pid == os.getpid() or mark not in (process / "environ").read_bytes().split(b"\0"):
                continue
            command = (
                (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            )
            os.kill(pid, signal.SIGKILL)
        except OSError:
            continue  # gone meanwhile, or not ours to read
        left.append(f"process {pid} {command.strip() or '(ended, nobody waited for it)'}")
    return left


def _left_files(scratch: Path) -> list[str]:
    return [f"file {json.dumps(str(path))}" for path in sorted(scratch.iterdir())]
