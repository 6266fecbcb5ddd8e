"""``tracekeeper engine check`` as it is typed."""

import json
import re
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.integration.cli.conftest import Project, Terminal


@pytest.mark.docker
def test_a_good_engine(project: Project, engine_url: str) -> None:
    shown = project.tracekeeper("engine", "check", engine_url)
    assert shown.returncode == 0
    lines = shown.stdout.decode().splitlines()
    assert lines[0] == f"Checking {engine_url}"
    assert lines[1].startswith(f"✓ {engine_url} is reached in ")
    assert lines[-1] == "All fine."
    told = project.tracekeeper("engine", "check", "--json", DOCKER_HOST=engine_url)
    report = json.loads(told.stdout)
    assert (report["v"], report["url"], report["ok"]) == (1, engine_url, True)
    assert {"reach", "api", "engine", "clock", "keepalive"} <= {
        finding["code"] for finding in report["findings"]
    }


def test_what_is_wrong_comes_last_with_what_to_do(project: Project) -> None:
    shown = project.tracekeeper("engine", "check", "tcp://host.invalid:1")
    assert shown.returncode == 1
    end = shown.stdout.decode().partition("\n\n")[2].splitlines()
    assert end[0].startswith("error: host.invalid has no address")
    assert end[1] == "  check the name, and this machine's DNS"
    assert end[2].startswith("warning: tcp://host.invalid:1 is spoken to in plain text")
    told = project.tracekeeper("engine", "check", "tcp://host.invalid:1", "--json")
    assert told.returncode == 1
    assert json.loads(told.stdout)["ok"] is False


@pytest.mark.docker
def test_what_a_run_with_a_configuration_file_would_use(
    project: Project, engine_url: str, tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        f"[runners.docker]\nhost = '{engine_url}'\nmemry = 1\n"
        "[runners.docker.connection]\ntls_keylog = '/keys'\n"
    )
    shown = project.tracekeeper("engine", "check", "--docker-config", str(config), "--json")
    assert shown.returncode == 0
    report = json.loads(shown.stdout)
    assert report["url"] == engine_url
    said = [each["sentence"] for each in report["findings"] if each["code"] == "config"]
    assert said[0].endswith("unknown key memry in [runners.docker]; did you mean `memory`?")
    assert "tls_keylog in [runners.docker.connection], because " in said[1]


def test_a_connection_is_made_as_the_file_says(project: Project, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        "[runners.docker]\nhost = 'tcp://host.invalid:1'\n"
        "[runners.docker.connection]\nkeepalive = false\n"
    )
    shown = project.tracekeeper("engine", "check", "--docker-config", str(config))
    assert shown.returncode == 1
    assert b"keepalives to tcp://host.invalid:1 are off" in shown.stdout


def test_wrong_usage(project: Project) -> None:
    for arguments in (
        ("ftp://x",),
        ("--idle", "-1"),
        ("--docker-context", "none"),
        ("tcp://x", "--docker-context", "none"),
        ("--docker-config", "/none"),
    ):
        assert project.tracekeeper("engine", "check", *arguments).returncode == 2


@pytest.mark.parametrize("how", [(), ("--json",)])
def test_a_password_in_a_url_is_not_printed(project: Project, how: tuple[str, ...]) -> None:
    url = "tcp://me:hunter2pw@host.invalid:1"
    shown = project.tracekeeper("engine", "check", url, *how)
    assert shown.returncode == 2
    assert b"has a user or a password in it" in shown.stderr
    assert b"hunter2pw" not in shown.stdout + shown.stderr


@pytest.mark.parametrize("command", [("run",), ("engine", "check")])
def test_contexts_are_completed(project: Project, command: tuple[str, ...]) -> None:
    shown = project.tracekeeper("_complete", "--", *command, "--docker-context", "def")
    assert shown.stdout == b"default\t\n"


def test_what_is_waited_for_is_told(project: Project) -> None:
    """Once, where nobody watches it on a terminal."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        shown = project.tracekeeper("engine", "check", f"tcp://127.0.0.1:{port}")
    assert shown.returncode == 1
    assert shown.stderr.decode() == "… waiting for the engine's answers\n"
    assert b"takes connections and says nothing: no answer within 10 s" in shown.stdout


def test_a_terminal_shows_how_long(project: Project, terminal: Callable[..., Terminal]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        screen = terminal("tracekeeper", "engine", "check", f"tcp://127.0.0.1:{port}")
        screen.until(lambda text: bool(re.search(r"for the engine's answers, [2-9]\.0 s", text)))
        screen.until_shown("says nothing")
    assert "…" not in screen.screen()


@pytest.mark.docker
def test_a_quiet_experiment_is_told(project: Project, engine_url: str) -> None:
    shown = project.tracekeeper("engine", "check", "--idle", "2.5", engine_url)
    assert shown.stderr.decode().endswith("… two connections stay quiet for 2.5 s\n")
    hint = '  set "live-restore": true in its daemon.json'
    lines = shown.stdout.decode().splitlines()
    assert all(
        lines[at + 1] == hint for at, line in enumerate(lines) if "live-restore is off" in line
    )
