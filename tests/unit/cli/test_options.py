from pathlib import Path

import click
import pytest

from tracekeeper.cli.options import complete_context, data_path, overrides, seconds
from tracekeeper.errors import UsageError
from tracekeeper.pipeline.config import Variable


def test_variables_of_the_command_line_win(tmp_path: Path) -> None:
    file = tmp_path / "vars.yml"
    file.write_text("A: file\nB: file\n")
    assert overrides(["B=line", "C=x=y", "D="], file) == {
        "A": Variable("A", "file"),
        "B": Variable("B", "line"),
        "C": Variable("C", "x=y"),
        "D": Variable("D", ""),
    }


@pytest.mark.parametrize("pair", ["A", "=x", ""])
def test_a_variable_needs_a_key_and_an_equals_sign(pair: str) -> None:
    with pytest.raises(UsageError, match="is not KEY=VALUE"):
        overrides([pair], None)


def test_where_runs_are_kept() -> None:
    assert data_path(Path("p"), None) == Path("p/.tracekeeper")
    assert data_path(Path("p"), Path("d")) == Path("d")


@pytest.mark.parametrize(("text", "number"), [("0", 0.0), ("700", 700.0), ("1.5", 1.5)])
def test_seconds(text: str, number: float) -> None:
    assert seconds(text) == number


@pytest.mark.parametrize("text", ["abc", "-1", "nan", "inf", "5s", ""])
def test_what_is_no_number_of_seconds(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is not a number of seconds"):
        seconds(text)


def test_contexts_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    for name in ("near", "far"):
        meta = tmp_path / "contexts" / "meta" / name / "meta.json"
        meta.parent.mkdir(parents=True)
        meta.write_text(f'{{"Name": "{name}"}}')
    context = click.Context(click.Command("run"))
    parameter = click.Option(["--docker-context"])
    assert complete_context(context, parameter, "") == ["default", "far", "near"]
    assert complete_context(context, parameter, "n") == ["near"]
    meta.write_text("{")
    assert complete_context(context, parameter, "") == []
