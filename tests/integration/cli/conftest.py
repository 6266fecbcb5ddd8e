"""The real program in a git checkout of its own, alone or on a real terminal (tmux)."""

import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("tracekeeper")
TIME_LIMIT = 60
Result = subprocess.CompletedProcess[bytes]


class Project:
    """A git checkout with a pipeline file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, pipeline: str, *, file: str = ".gitlab-ci.yml") -> None:
        (self.path / file).write_text(pipeline)

    def tracekeeper(self, *arguments: str, cwd: str = "", **environment: str) -> Result:
        return subprocess.run(
            [PROGRAM, *arguments],
            cwd=self.path / cwd,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIME_LIMIT,
            check=False,
        )

    def start(self, *arguments: str, stdout: int = subprocess.DEVNULL) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [PROGRAM, *arguments], cwd=self.path, stdin=subprocess.DEVNULL, stdout=stdout
        )

    def shell(self, command: str) -> Result:
        """Run `command` with bash; ``tracekeeper`` is ours."""
        return subprocess.run(
            ["bash", "-c", command],
            cwd=self.path,
            env=os.environ | {"PATH": f"{PROGRAM.parent}:{os.environ['PATH']}"},
            capture_output=True,
            timeout=TIME_LIMIT,
            check=False,
        )

    def until_logged(self, event: str) -> None:
        """Wait until run 1 has told of `event`, a regular expression."""
        events = ".tracekeeper/runs/1/events.jsonl"
        self.shell(f"until grep -qs '{event}' {events}; do sleep 0.05; done")

    def results(self) -> list[Path]:
        """The results of all jobs that have ended."""
        return sorted(self.path.glob(".tracekeeper/runs/*/jobs/*/result.json"))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    path = tmp_path / "project"
    path.mkdir()
    (path / "README").write_text("A project.\n")
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
    for command in (["init", "-q"], ["add", "--all"], [*identity, "commit", "-qm", "First"]):
        subprocess.run(["git", *command], cwd=path, check=True)
    return Project(path)


class Terminal:
    """A window of tmux, an independent judge of what is seen. It stays when `command` ends."""

    def __init__(self, directory: Path, columns: int, lines: int, command: Sequence[str]) -> None:
        home = directory.with_name("home")
        home.mkdir(exist_ok=True)
        self._socket = f"tracekeeper-{uuid.uuid4().hex[:12]}"
        path = f"PATH={PROGRAM.parent}:{os.environ['PATH']}"
        size = ("-x", str(columns), "-y", str(lines))
        options = ("-f", os.devnull, "-u", "new-session", "-d", *size, "-c", str(directory))
        own = (f"{name}={home}" for name in ("HOME", "TMPDIR", "XDG_RUNTIME_DIR"))
        stay = ("sh", "-c", 'trap : INT; "$@"; read _', "sh")
        self._tmux(*options, "env", path, "LC_ALL=C.UTF-8", *own, *stay, *command)

    def screen(self, *, escapes: bool = False) -> str:
        shown = self._tmux("capture-pane", "-p", *(["-e"] if escapes else []))
        return shown.rstrip("\n")

    def until(self, condition: Callable[[str], bool]) -> str:
        """The screen, as soon as it fulfils `condition`."""
        deadline = time.monotonic() + TIME_LIMIT
        while not condition(screen := self.screen()):
            assert time.monotonic() < deadline, screen
            time.sleep(0.02)
        return screen

    def until_shown(self, text: str) -> str:
        return self.until(lambda screen: text in screen)

    def type(self, text: str) -> None:
        self._tmux("send-keys", "-l", text)

    def press(self, *keys: str) -> None:
        self._tmux("send-keys", *keys)

    def resize(self, columns: int) -> None:
        self._tmux("resize-window", "-x", str(columns))

    def close(self) -> None:
        self._tmux("kill-server")

    def _tmux(self, *arguments: str) -> str:
        command = ["tmux", "-L", self._socket, *arguments]
        environment = {key: value for key, value in os.environ.items() if key != "TMUX"}
        done = subprocess.run(
            command,
            env=environment | {"LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def terminal(project: Project) -> Iterator[Callable[..., Terminal]]:
    """`terminal(*command, columns=80, lines=24)`: a command in the project's directory."""
    if not shutil.which("tmux"):
        pytest.skip("tmux is not installed")
    opened: list[Terminal] = []

    def open_terminal(*command: str, columns: int = 80, lines: int = 24) -> Terminal:
        opened.append(Terminal(project.path, columns, lines, command))
        return opened[-1]

    yield open_terminal
    for each in opened:
        each.close()
