from pathlib import Path

import pytest

from tracekeeper.errors import InvalidPipeline, UsageError
from tracekeeper.local.variables_file import read_variables_file
from tracekeeper.pipeline.config import Variable


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "variables.yml"


def test_a_value_stays_as_it_was_written(file: Path) -> None:
    file.write_text("A: text\nB: 1.50\nC: yes\nD:\nE: 'x: y'\n")
    values = {key: variable.value for key, variable in read_variables_file(file).items()}
    assert values == {"A": "text", "B": "1.50", "C": "yes", "D": "", "E": "x: y"}


def test_a_mapping_says_what_gitlabs_settings_page_can(file: Path) -> None:
    file.write_text("TOKEN: {value: s3cret, masked: true, raw: true}\nCA: {value: PEM, file: on}\n")
    assert read_variables_file(file) == {
        "TOKEN": Variable("TOKEN", "s3cret", raw=True, masked=True, public=False),
        "CA": Variable("CA", "PEM", file=True),
    }


def test_a_mapping_may_be_empty(file: Path) -> None:
    file.write_text("{}\n")
    assert read_variables_file(file) == {}


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [
        ("", "1:1", "the file is empty", ""),
        ("- A\n", "1:1", "a variables file has to be a mapping", "KEY: value"),
        ("A: [1]\n", "1:4", "`A` has to be a value, or a mapping with `value`", ""),
        ("A: {masked: true}\n", "1:4", "`A` has to be a value, or a mapping with `value`", ""),
        ("A: {value: {}}\n", "1:4", "`A` has to be a value, or a mapping with `value`", ""),
        ("A: {value: 1, masked: 1}\n", "1:23", "`masked` has to be true or false", ""),
        ("A: {value: 1, raw: [a]}\n", "1:20", "`raw` has to be true or false", ""),
        ("A: {value: 1, maskd: true}\n", "1:15", "`maskd` is not known here", "`masked`?"),
        ("A: {value: 1, zzz: true}\n", "1:15", "`zzz` is not known here", "masked, file or raw"),
    ],
)
def test_what_is_wrong_has_a_place(
    file: Path, text: str, place: str, message: str, hint: str
) -> None:
    file.write_text(text)
    with pytest.raises(InvalidPipeline) as caught:
        read_variables_file(file)
    (problem,) = caught.value.problems
    assert (str(problem.at), problem.message) == (f"{file}:{place}", message)
    assert hint in problem.hint


def test_every_error_is_told_at_once(file: Path) -> None:
    file.write_text("A: [1]\nB: {value: 1, raw: 2}\nC: fine\n")
    with pytest.raises(InvalidPipeline) as caught:
        read_variables_file(file)
    assert [problem.at.line for problem in caught.value.problems] == [1, 2]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.yml cannot be read: No such file"):
        read_variables_file(tmp_path / "none.yml")
