"""The examples do what their READMEs say, in a directory below the top of a git checkout."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TRACEKEEPER = Path(sys.executable).with_name("tracekeeper")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A git checkout with the examples in it, as they are in this one."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
    for command in (["init", "-q"], ["add", "--all"], [*identity, "commit", "-qm", "Examples"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


def tracekeeper(
    checkout: Path, command: str, example: str, *options: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [TRACEKEEPER, command, "-C", str(checkout / "examples" / example), *options],
        env=os.environ | {"COLUMNS": "160"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_python_project_passes_and_uses_what_it_built(checkout: Path) -> None:
    result = tracekeeper(checkout, "run", "python-project")
    assert result.returncode == 0, result.stdout + result.stderr
    log = tracekeeper(checkout, "logs", "python-project", "quiet-minutes").stdout
    assert "0:11:41 of silence after line 5" in log
    assert "quiet 1.0+" in log


def test_failing_fails_usefully(checkout: Path) -> None:
    result = tracekeeper(checkout, "run", "failing")
    assert result.returncode == 1, result.stdout + result.stderr
    assert result.stdout.count("expected answer=42, got answer=41") > 1, "repeated at the end"
    assert "The job ended as failed" in result.stdout
    assert "What the job saw" in result.stdout
    assert "never printed either" not in result.stdout


def quiet_job(checkout: Path, executor: str) -> None:
    result = tracekeeper(
        checkout, "run", "quiet-job", "--executor", executor, "-V", "QUIET_SECONDS=1"
    )
    assert result.returncode == 1, result.stdout + result.stderr
    assert "Hello world!" in result.stdout
    assert "proven" in result.stdout


def test_quiet_job_in_a_shell(checkout: Path) -> None:
    quiet_job(checkout, "shell")


@pytest.mark.docker
def test_quiet_job_in_a_container(checkout: Path) -> None:
    quiet_job(checkout, "docker")


@pytest.mark.parametrize("example", ["failing", "python-project", "quiet-job"])
def test_every_example_is_valid(example: str) -> None:
    valid(ROOT / "examples" / example / ".gitlab-ci.yml")


def test_our_own_pipeline_is_valid() -> None:
    valid(ROOT / ".gitlab-ci.yml")


def valid(file: Path) -> None:
    command = [str(TRACEKEEPER), "lint", str(file)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, "warning:" in result.stdout + result.stderr) == (0, False)
