# ruff: noqa: E501 — tables of cases, one a line
from collections.abc import Callable

import pytest

from tracekeeper.pipeline.config import AllowFailure, JobConfig, Retry

Read = Callable[[str], JobConfig]


@pytest.mark.parametrize(
    ("written", "retry"),
    [
        ("0", Retry()),
        ("2", Retry(2)),
        ("{max: 1}", Retry(1)),
        ("{max: 2, when: script_failure}", Retry(2, ("script_failure",))),
        ("{max: 2, when: [always, api_failure]}", Retry(2, ("always", "api_failure"))),
        ("{max: 1, exit_codes: 137}", Retry(1, exit_codes=(137,))),
        ("{max: 1, exit_codes: [1, 255]}", Retry(1, exit_codes=(1, 255))),
    ],
)
def test_retry(job_of: Read, written: str, retry: Retry) -> None:
    assert job_of(f"retry: {written}").retry == retry


@pytest.mark.parametrize(
    ("written", "allowed"),
    [
        ("true", AllowFailure(True)),
        ("false", AllowFailure(False)),
        ("null", None),
        ("{exit_codes: 137}", AllowFailure(True, (137,))),
        ("{exit_codes: [1, 2]}", AllowFailure(True, (1, 2))),
    ],
)
def test_allow_failure(job_of: Read, written: str, allowed: AllowFailure | None) -> None:
    assert job_of(f"allow_failure: {written}").allow_failure == allowed


def test_parallel(job_of: Read) -> None:
    job = job_of("parallel: 200")
    assert (job.parallel, job.matrix) == (200, ())
    job = job_of("parallel: {matrix: [{A: [1, b], B: c}, {A: 2.5}]}")
    assert job.parallel == 0
    assert [row.variables for row in job.matrix] == [
        {"A": ("1", "b"), "B": ("c",)},
        {"A": ("2.5",)},
    ]
    assert str(job.matrix[1].at) == "f:2:42"


@pytest.mark.parametrize("written", ["/x/", "/^TOTAL.*\\s+(\\d+)%$/"])
def test_coverage(job_of: Read, written: str) -> None:
    assert job_of(f"coverage: '{written}'").coverage == written


MANY = ", ".join(str(number) for number in range(20))


@pytest.mark.parametrize(
    ("keywords", "messages"),
    [
        ("retry: 3", ["`retry` must be from 0 to 2, not 3"]),
        ("retry: twice", ["`retry` must be a whole number from 0 to 2, not a string"]),
        ("retry: [1]", ["`retry` must be a number or a mapping, not a list (its keywords: max, when, exit_codes)"]),
        ("retry: {max: -1}", ["`retry:max` must be from 0 to 2, not -1"]),
        ("retry: {exit_codes: [x]}", ["`retry:exit_codes` must be a whole number from 0 to 4294967295, not a string"]),
        ("allow_failure: maybe", ["`allow_failure` must be true or false, not a string"]),
        ("allow_failure: {}", ["`allow_failure` needs `exit_codes`"]),
        ("allow_failure: [1]", ["`allow_failure` must be a boolean or a mapping, not a list (its keywords: exit_codes)"]),
        ("parallel: 0", ["`parallel` must be from 1 to 200, not 0"]),
        ("parallel: 201", ["`parallel` must be from 1 to 200, not 201"]),
        ("parallel: {}", ["`parallel` needs `matrix`"]),
        ("parallel: [1]", ["`parallel` must be a number or a mapping, not a list (its keywords: matrix)"]),
        ("parallel: {matrix: []}", ["`parallel:matrix` makes 0 jobs, allowed are 1 to 200"]),
        ("parallel: {matrix: [{A: []}]}", ["`parallel:matrix` makes 0 jobs, allowed are 1 to 200"]),
        (f"parallel: {{matrix: [{{A: [{MANY}], B: [{MANY}]}}]}}", ["`parallel:matrix` makes 400 jobs, allowed are 1 to 200"]),
        ("coverage: abc", ["`coverage` must be a regular expression between slashes (write '/abc/')"]),
        ("coverage: //", ["`coverage` must be a regular expression between slashes (write '//')"]),
        ("coverage: 5", ['`coverage` must be a string, not a number (write it in quotes: "5")']),
    ],
)  # fmt: skip
def test_mistakes(
    job_messages_of: Callable[[str], list[str]], keywords: str, messages: list[str]
) -> None:
    assert job_messages_of(keywords) == messages


@pytest.mark.parametrize(
    ("written", "hint"),
    [("script_failures", "did you mean `script_failure`?"), ("bad_weather", "")],
)
def test_unknown_reasons_to_retry(
    job_messages_of: Callable[[str], list[str]], written: str, hint: str
) -> None:
    (message,) = job_messages_of(f"retry: {{max: 1, when: [{written}]}}")
    assert message.startswith("`retry:when` must be one of always, unknown_failure, script_failure")
    assert message.endswith(f"not `{written}` ({hint})" if hint else f"not `{written}`")
