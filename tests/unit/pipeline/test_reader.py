# ruff: noqa: E501 — tables of cases, one a line
from collections.abc import Callable

import pytest

from tracekeeper.pipeline.config import Config
from tracekeeper.pipeline.node import Mapping
from tracekeeper.pipeline.reader import read
from tracekeeper.pipeline.yaml import parse
from tracekeeper.problems import Problem

Read = Callable[[str], Config]


def test_the_smallest_pipeline(config_of: Read) -> None:
    config = config_of("job: {script: x}")
    assert config.stages == (".pre", "build", "test", "deploy", ".post")
    assert list(config.jobs) == ["job"]
    assert config.jobs["job"].stage == "test"
    assert (config.variables, config.warnings, config.workflow.rules) == ({}, (), None)


@pytest.mark.parametrize(
    ("written", "stages"),
    [
        ("[test]", (".pre", "test", ".post")),
        ("[.post, test, .pre, test, [a]]", (".pre", "test", "a", ".post")),
        ("null", (".pre", "build", "test", "deploy", ".post")),
    ],
)
def test_stages(config_of: Read, written: str, stages: tuple[str, ...]) -> None:
    assert config_of(f"stages: {written}\njob: {{script: x}}").stages == stages


def test_jobs_keep_the_order_of_the_file_and_hidden_ones_are_gone(config_of: Read) -> None:
    text = "z: {script: x}\n.hidden: [anything]\na: {script: x}\n.job: {unknown: 1}\n"
    assert list(config_of(text).jobs) == ["z", "a"]


def test_warnings_are_in_the_config_and_among_the_problems(config_of: Read) -> None:
    config = config_of("$schema: x\nspec: {inputs: {}}\ninclude: [a.yml]\njob: {script: x}")
    assert [str(warning) for warning in config.warnings] == [
        "f:1:1: warning: `$schema` is accepted, but has no effect in Tracekeeper",
        "f:2:1: warning: `spec` is accepted, but has no effect in Tracekeeper",
    ]


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        (".a: {script: x}", ["1:1 no_jobs"]),
        ("variables: {A: b}", ["1:1 no_jobs"]),
        ("variables: [a]", ["1:12 wrong_type"]),
        ("stages: build\njob: {script: x}", ["1:9 wrong_type", "2:1 unknown_stage"]),
        ("image: {script: x}\njob: {script: x}", ["1:1 reserved_name"]),
        ("include: {trigger: x}\njob: {script: x}", ["1:1 reserved_name"]),
        ("variables: {script: x}\njob: {script: x}", []),
        ("tags: [a]\njob: {script: x}", ["1:1 unknown_keyword"]),
        ("stage: a\njob: {script: x}", ["1:1 unknown_keyword"]),
        ("zz: a\njob: {script: x}", ["1:1 unknown_keyword"]),
        ("zz: null\njob: {script: x}", ["1:1 unknown_keyword"]),
        ("variabels: {A: b}\njob: {script: x}", ["1:1 unknown_keyword"]),
        ("caches: {script: b}\njob: {script: x}", []),
        ("a: {stage: nope}\nb: {script: 5, retry: 9}", ["1:1 missing_script", "2:13 wrong_type", "2:23 wrong_value", "1:12 unknown_stage"]),
    ],
)  # fmt: skip
def test_findings(findings_of: Callable[[str], list[str]], text: str, findings: list[str]) -> None:
    assert findings_of(text) == findings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tags: [a]", "`tags` is neither a keyword nor a job, which is a mapping with `script` (write it under `default` to give every job its `tags`)"),
        ("stage: a", "`stage` is neither a keyword nor a job, which is a mapping with `script` (it is a keyword of a job)"),
        ("zz: a", "`zz` is neither a keyword nor a job, which is a mapping with `script`"),
        ("variabels: {A: b}", "`variabels` is neither a keyword nor a job, which is a mapping with `script` (did you mean `variables`?)"),
    ],
)  # fmt: skip
def test_top_level_mistakes(
    messages_of: Callable[[str], list[str]], text: str, message: str
) -> None:
    assert messages_of(f"{text}\njob: {{script: x}}") == [message]


def test_a_template_s_mistake_is_reported_once(findings_of: Callable[[str], list[str]]) -> None:
    text = ".t: &t {retry: 9}\na: {<<: *t, script: x}\nb: {<<: *t, script: x}\n"
    assert findings_of(text) == ["1:16 wrong_value"]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (".a: {script: x}", "it may be there"),
        ("a: {stage: test}", "it may be there"),
        ("a: {script: x, needs: [zz]}", "it may be there"),
        ("a: {script: x, stage: zz}", "known: .pre, build, test, deploy, .post; it may be there"),
    ],
)
def test_what_is_missing_may_be_elsewhere(text: str, hint: str) -> None:
    problems: list[Problem] = []
    document = parse(text.encode(), "f", problems)
    assert isinstance(document, Mapping)
    assert read(document, problems, elsewhere="it may be there") is None
    assert [problem.hint for problem in problems] == [hint]


def test_with_an_unread_file_what_is_unknown_is_left_out() -> None:
    problems: list[Problem] = []
    document = parse(b"a: {script: x}\nb: {extends: .c}\nd: {stage: test}\n", "f", problems)
    assert isinstance(document, Mapping)
    config = read(document, problems, elsewhere="it may be there", unread=True)
    assert config is not None
    assert list(config.jobs) == ["a"]
    assert [problem.code for problem in config.warnings] == ["missing_script"]


def test_earlier_problems_stay_and_are_not_ours() -> None:
    problems: list[Problem] = []
    document = parse(b"a: {script: x}\na: {script: y, release: z}\n", "f", problems)
    assert [problem.code for problem in problems] == ["duplicate_key"]
    assert isinstance(document, Mapping)
    config = read(document, problems)
    assert config is not None
    assert [problem.code for problem in problems] == ["duplicate_key", "not_acted_on"]
    assert [warning.code for warning in config.warnings] == ["not_acted_on"]
