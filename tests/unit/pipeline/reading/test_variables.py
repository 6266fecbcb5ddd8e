# ruff: noqa: E501 — tables of cases, one a line
from collections.abc import Callable

import pytest

from tracekeeper.pipeline.config import Config, JobConfig, Variable

Messages = Callable[[str], list[str]]


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("x", "x"),
        ('"1.10"', "1.10"),
        ("1.10", "1.1"),
        ("012", "10"),
        ("1_000", "1000"),
        ("true", "true"),
        ("no", "false"),
        ("null", ""),
        ("~", ""),
        ("1.0e+20", "1.0e+20"),
        ("1.5e-07", "1.5e-07"),
        (".inf", "Infinity"),
        ("-.inf", "-Infinity"),
        (".nan", "NaN"),
    ],
)
def test_values_become_text_as_in_ruby(
    job_of: Callable[[str], JobConfig], written: str, text: str
) -> None:
    assert job_of(f"variables: {{A: {written}}}").variables == {"A": Variable("A", text)}


def test_global_variables(config_of: Callable[[str], Config]) -> None:
    config = config_of(
        """
        variables:
          PLAIN: 1
          FULL: {value: b, description: which, options: [a, b], expand: false}
          NOTHING: {description: fill me in}
          LOOSE: {value: 7, expand: true, description: 8}
        job: {script: x}
        """
    )
    assert config.variables == {
        "PLAIN": Variable("PLAIN", "1"),
        "FULL": Variable("FULL", "b", raw=True, description="which", options=("a", "b")),
        "NOTHING": Variable("NOTHING", "", description="fill me in"),
        "LOOSE": Variable("LOOSE", "7", description="8"),
    }


@pytest.mark.parametrize(
    ("keywords", "messages"),
    [
        ("variables: [a]", ["`variables` must be a mapping of names to values, not a list"]),
        ("variables: {A: [b]}", ["`variables:A` must be a string or a mapping, not a list"]),
        ("variables: {A: {value: [b]}}", ["`variables:A:value` must be a string, a number or a boolean, not a list"]),
        ("variables: {A: {value: b, description: c}}", ["`description` is not a keyword of `variables:A` (known: value, expand)"]),
        ("variables: {A: {value: b, expand: 1}}", ["`variables:A:expand` must be true or false, not a number"]),
        ("rules: [{variables: {A: {value: b}}}]", ["`rules:variables:A` must be a string, not a mapping"]),
    ],
)  # fmt: skip
def test_mistakes_in_a_job(job_messages_of: Messages, keywords: str, messages: list[str]) -> None:
    assert job_messages_of(keywords) == messages


def test_a_value_is_one_of_its_options(messages_of: Messages) -> None:
    text = "{variables: {A: {value: x, options: [y, z]}}, job: {script: x}}"
    assert messages_of(text) == ["`variables:A:value` must be one of its options"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a", "`parallel:matrix` must be a mapping of names to values, not a string"),
        ("{}", "`parallel:matrix` needs at least one variable"),
        ("{A: {}}", "`parallel:matrix:A` must be a string, a number or a boolean, not a mapping"),
        ("{A: [{}]}", "`parallel:matrix:A` must be a string, a number or a boolean, not a mapping"),
    ],
)
def test_matrix_rows(job_messages_of: Messages, row: str, message: str) -> None:
    keywords = f"parallel:\n  matrix:\n    - {row}"
    assert message in job_messages_of(keywords)
