from pathlib import Path

import pytest

from tracekeeper.cli.options import data_path, overrides
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
