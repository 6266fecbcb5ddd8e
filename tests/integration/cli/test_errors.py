"""Whatever goes wrong: a sentence on stderr, a sane exit status, never a traceback."""

import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("lnt",), "there is no command 'lnt'\n  did you mean `lint`?\n"),
        (("zzz",), "there is no command 'zzz'\n  `tracekeeper --help` names the commands\n"),
        (("run", "--neds"), "no such option '--neds'"),
        (("run", "-j", "0"), "invalid value for '-j' / '--jobs': 0 is not in the range x>=1\n"),
        (("run", "-V", "X"), "-V X is not KEY=VALUE\n  for example: -V SECONDS=3\n"),
        (("run", "unti"), "there is no job 'unti' in this pipeline\n  did you mean 'unit'?\n"),
        (("completion",), "for which shell? name bash, zsh or fish\n"),
        (("completion", "tcsh"), "invalid value for 'SHELL': 'tcsh' is not one of"),
        (
            ("engine", "check", "--idle", "abc"),
            "invalid value for '--idle': abc is not a number of seconds: write one such as 700\n",
        ),
        (("show",), "missing argument 'JOB'\n  `tracekeeper show --help` says what is possible\n"),
        (("show", "unti"), "there is no job 'unti' in this pipeline\n"),
        (("list", "-f", "no.yml"), "there is no no.yml in "),
        (("list", "-C", "/nope"), "/nope is not a directory\n"),
        (
            ("run", "--variables-file", "no.yml"),
            "the variables file no.yml cannot be read: No such",
        ),
    ],
)
def test_wrong_usage(project: Any, arguments: tuple[str, ...], said: str) -> None:
    project.write("unit: {script: [echo]}")
    result = project.tracekeeper(*arguments)
    assert (result.returncode, result.stdout) == (2, b"")
    assert result.stderr.decode().startswith(f"tracekeeper: {said}")
    assert "Traceback" not in result.stderr.decode()


def test_no_command_is_a_call_for_help(project: Any) -> None:
    result = project.tracekeeper()
    assert result.returncode == 0
    assert result.stdout == project.tracekeeper("--help").stdout
    assert result.stdout.startswith(b"Usage: tracekeeper [OPTIONS] COMMAND")


def test_a_group_alone_is_a_call_for_help(project: Any) -> None:
    result = project.tracekeeper("engine")
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout == project.tracekeeper("engine", "--help").stdout
    assert result.stdout.endswith(b"  check  Check everything on the way that can break a job.\n")


@pytest.mark.parametrize("command", ["run", "list", "show", "lint", "logs", "completion"])
def test_every_command_has_help_that_fits(project: Any, command: str) -> None:
    result = project.tracekeeper(command, "--help")
    lines = result.stdout.decode().splitlines()
    assert result.returncode == 0
    assert max(map(len, lines)) <= 80
    assert command == "completion" or "  Exit status:" in lines


def test_an_invalid_file_names_every_error(project: Any) -> None:
    project.write("a: {scrpt: [x]}\nb: {script: [x], stage: nope}\n")
    result = project.tracekeeper("run")
    assert result.returncode == 2
    lines = [line.split(": error: ")[0] for line in result.stderr.decode().splitlines()]
    assert lines[0] == ".gitlab-ci.yml:1:5"
    assert ".gitlab-ci.yml:2:25" in lines


def test_outside_of_git_everything_works(tmp_path: Path, project: Any) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / ".gitlab-ci.yml").write_text("a: {script: [echo]}")
    for command in (["list"], ["lint"], ["run"]):
        result = project.tracekeeper(*command, cwd="../plain")
        assert result.returncode == 0, result.stderr


def in_process(code: str, *arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run our `main` after `code`, as the program would."""
    script = f"import sys; sys.argv[1:] = {list(arguments)!r}\n{code}\n"
    script += "from tracekeeper.__main__ import main; main()"
    return subprocess.run(
        [sys.executable, "-c", script], cwd=cwd, capture_output=True, text=True, check=False
    )


DEFECT = """
import tracekeeper.cli.options
def broken(*_, **__): raise ValueError("unforeseen")
tracekeeper.cli.options.local_project = broken
"""


def test_a_defect_is_confessed_with_the_details_in_a_file(project: Any) -> None:
    result = in_process(DEFECT, "list", cwd=project.path)
    assert result.returncode == 1
    sentence, hint = result.stderr.splitlines()
    assert sentence == ("tracekeeper: a defect of tracekeeper stopped it (ValueError: unforeseen)")
    match = re.fullmatch(r"  please report it with the details in (.*)", hint)
    assert match
    details = Path(match[1])
    assert "Traceback" in details.read_text()
    details.unlink()


def test_a_defect_in_showing_a_run_stops_no_job(project: Any) -> None:
    project.write("a: {script: [echo]}")
    broken = (
        "import tracekeeper.cli.text_renderer as t\n"
        "def tick(self): raise ValueError('unforeseen')\nt.TextRenderer.tick = tick"
    )
    result = in_process(broken, "run", cwd=project.path)
    assert result.returncode == 1
    assert "a defect of tracekeeper stopped it (ValueError: unforeseen)" in result.stderr
    assert len(project.results()) == 1
    Path(result.stderr.split()[-1]).unlink()


@pytest.mark.parametrize("module", ["tracekeeper.cli.main", "tracekeeper.cli.list"])
def test_an_interrupt_while_importing_is_no_traceback(project: Any, module: str) -> None:
    interrupt = f"""
import sys
class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}: raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupt())
"""
    result = in_process(interrupt, "list", cwd=project.path)
    assert (result.returncode, result.stdout, result.stderr.strip()) == (130, "", "")


def test_an_interrupt_ends_following_a_log(project: Any) -> None:
    project.write("a: {script: [echo begun, sleep 300]}")
    run = project.start("run")
    project.shell("until grep -qs begun .tracekeeper/runs/1/jobs/1-a/trace; do sleep 0.05; done")
    follower = project.start("logs", "--follow", stdout=subprocess.PIPE)
    assert b"a (run 1)" in follower.stdout.readline()
    follower.send_signal(signal.SIGINT)
    follower.communicate(timeout=30)
    assert follower.returncode == 130
    run.send_signal(signal.SIGINT)
    assert run.wait(30) == 130


@pytest.mark.parametrize("stderr", ["/dev/full", "&-"])
def test_where_nothing_can_be_said_the_status_says_it(project: Any, stderr: str) -> None:
    result = project.shell(f"tracekeeper lnt 2>{stderr}")
    assert (result.returncode, result.stdout) == (2, b"")
