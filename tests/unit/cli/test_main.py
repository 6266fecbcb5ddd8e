from pathlib import Path

import click
import pytest

from tracekeeper.cli import main
from tracekeeper.cli.main import run_command_line
from tracekeeper.errors import (
    EngineError,
    InvalidPipeline,
    StorageError,
    TracekeeperError,
    UsageError,
)
from tracekeeper.problems import Position, Problem

PROBLEM = Problem("code", "it is wrong", Position("f.yml", 3, 5), "make it right")


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> int:
    """The exit status of a command that raises `error`."""

    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(main.cli, "main", broken)
    return run_command_line(["list"])


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (UsageError("no such job", hint="look"), 2, "tracekeeper: no such job\n  look\n"),
        (StorageError("the disk is full"), 1, "tracekeeper: the disk is full\n"),
        (EngineError("no answer", hint="start it"), 1, "tracekeeper: no answer\n  start it\n"),
        (TracekeeperError("odd"), 1, "tracekeeper: odd\n"),
        (InvalidPipeline([PROBLEM, PROBLEM]), 2, f"{PROBLEM}\n{PROBLEM}\n"),
        (InvalidPipeline([]), 2, "the pipeline file is not valid\n"),
        (PermissionError(13, "Permission denied", "/x"), 1, "tracekeeper: /x: Permission denied\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_every_error_is_a_sentence_and_a_status(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    status: int,
    said: str,
) -> None:
    assert failing(monkeypatch, error) == status
    assert capsys.readouterr() == ("", said)


def test_a_defect_is_told_even_where_no_file_can_be_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    assert failing(monkeypatch, ValueError("unforeseen")) == 1
    said = capsys.readouterr().err
    assert said == "tracekeeper: a defect of tracekeeper stopped it (ValueError: unforeseen)\n"


def test_what_click_says_becomes_our_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["list", "--jsn"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "tracekeeper: no such option '--jsn'. Did you mean '--json'?",
        "  `tracekeeper list --help` says what is possible",
    ]


def test_every_command_is_there_and_only_those() -> None:
    context = click.Context(main.cli)
    for name in main.COMMANDS:
        command = main.cli.get_command(context, name)
        assert command is not None
        assert command.name == name
    assert main.cli.get_command(context, "nothing") is None
