# ruff: noqa: E501 — tables of cases, one a line
from collections.abc import Callable

import pytest

from tracekeeper.pipeline.config import Config, JobConfig, Need
from tracekeeper.problems import Position

Messages = Callable[[str], list[str]]


def needs_of(job: JobConfig) -> list[tuple[str, bool, bool, tuple[object, ...]]]:
    return [(need.job, need.artifacts, need.optional, need.matrix) for need in job.needs or ()]


@pytest.mark.parametrize(
    ("written", "needs"),
    [
        ("[]", []),
        ("[a]", [("a", True, False, ())]),
        ("[null, a]", [("a", True, False, ())]),
        ("[a, [b]]", [("a", True, False, ()), ("b", True, False, ())]),
        ("[{job: a}]", [("a", True, False, ())]),
        ("{job: a}", [("a", True, False, ())]),
        ("[{job: a, artifacts: false, optional: true}]", [("a", False, True, ())]),
        ("[{job: a, parallel: {matrix: [{X: 1, Y: [2, 3]}]}}]", [("a", True, False, ({"X": ("1",), "Y": ("2", "3")},))]),
    ],
)  # fmt: skip
def test_needs(
    config_of: Callable[[str], Config], written: str, needs: list[tuple[object, ...]]
) -> None:
    config = config_of(
        f"{{a: {{script: x}}, b: {{script: x}}, job: {{script: x, needs: {written}}}}}"
    )
    assert config.jobs["job"].needs is not None
    assert needs_of(config.jobs["job"]) == needs


def test_no_needs_is_not_the_same_as_none(job_of: Callable[[str], JobConfig]) -> None:
    assert job_of("needs: []").needs == ()
    assert job_of("needs: null").needs is None


def test_a_need_knows_its_place(config_of: Callable[[str], Config]) -> None:
    config = config_of("{a: {script: x}, job: {script: x, needs: [a]}}")
    assert config.jobs["job"].needs == (Need("a", Position("f", 1, 43)),)


@pytest.mark.parametrize(
    ("need", "what"),
    [
        ("{pipeline: $PARENT, job: a}", "pipeline"),
        ("{project: g/p, ref: main, job: a, artifacts: true}", "project"),
        ("{ref: main, job: a}", "ref"),
    ],
)
def test_needs_of_elsewhere_are_named(job_messages_of: Messages, need: str, what: str) -> None:
    assert job_messages_of(f"needs: [{need}]") == [
        f"`needs:{what}` is accepted, but has no effect in Tracekeeper"
    ]


@pytest.mark.parametrize(
    ("written", "messages"),
    [
        ("a", ["`needs` must be a list, not a string (write [a])"]),
        ("[5]", ['`needs` must be a string, not a number (write it in quotes: "5")']),
        ("[{artifacts: true}]", ["`needs` needs `job`"]),
        ("[{jobs: a}]", ["`jobs` is not a keyword of `needs` (did you mean `job`?)", "`needs` needs `job`"]),
        ("[{job: job, optional: 1}]", ["`needs:optional` must be true or false, not a number", "job `job` needs itself"]),
        ("[{job: a, optional: true, parallel: {}}]", ["`needs:parallel` needs `matrix`"]),
    ],
)  # fmt: skip
def test_mistakes(job_messages_of: Messages, written: str, messages: list[str]) -> None:
    assert job_messages_of(f"needs: {written}") == messages


def test_too_many_needs(messages_of: Messages) -> None:
    names = [f"a{number}" for number in range(51)]
    jobs = "".join(f"{name}: {{script: x}}\n" for name in names)
    text = f"{jobs}job: {{script: x, needs: [{', '.join(names)}]}}\n"
    assert messages_of(text) == ["`needs` has 51 entries, at most 50 are allowed"]
