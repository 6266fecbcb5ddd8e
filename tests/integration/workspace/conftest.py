"""Real repositories, made by git itself."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Git = Callable[..., str]


@pytest.fixture(autouse=True)
def own_settings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the settings of the user or of a hook that runs the tests."""
    home = tmp_path_factory.mktemp("home")
    for key in [key for key in os.environ if key.startswith("GIT_")]:
        monkeypatch.delenv(key)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    (home / ".gitconfig").write_text(
        "[user]\n\tname = Ada\n\temail = ada@example.com\n[init]\n\tdefaultBranch = main\n"
        '[protocol "file"]\n\tallow = always\n[advice]\n\tdetachedHead = false\n'
        "[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n"
    )


@pytest.fixture
def git() -> Git:
    """Runs git in a directory and returns its output."""

    def run(directory: Path, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=directory, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def project(tmp_path: Path, git: Git) -> Path:
    """A repository with two commits on main."""
    root = tmp_path / "project"
    root.mkdir()
    git(root, "init", "-q")
    (root / ".gitignore").write_text("*.log\nignored/\n")
    (root / "file").write_text("one\n")
    (root / "run").write_text("#!/bin/sh\n")
    (root / "run").chmod(0o755)
    (root / "d/e").mkdir(parents=True)
    (root / "d/e/deep").write_text("deep\n")
    (root / "link").symlink_to("d/e/deep")
    git(root, "add", ".")
    git(root, "commit", "-qm", "First\n\nWith a body.")
    (root / "file").write_text("two\n")
    git(root, "commit", "-qam", "Second")
    return root
