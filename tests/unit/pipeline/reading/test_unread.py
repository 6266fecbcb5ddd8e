"""What is unread leaves a pipeline that is smaller, never another one."""

from collections.abc import Sequence

import pytest

from tracekeeper.pipeline.config import Config
from tracekeeper.pipeline.node import Mapping
from tracekeeper.pipeline.reader import read
from tracekeeper.pipeline.yaml import parse
from tracekeeper.problems import Problem


def config_of(text: str) -> tuple[Config, list[Problem]]:
    problems: list[Problem] = []
    document = parse(text.encode(), "f", problems)
    assert isinstance(document, Mapping)
    config = read(document, problems, elsewhere="it may be there", unread=True)
    assert config is not None, problems
    return config, problems


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a: {script: x}\nb: {extends: .x, script: x}", ["a"]),
        ("a: {script: x}\nb: {script: !reference [.x, script]}", ["a"]),
        ("a: {script: x}\nb: {script: x, rules: [{if: !reference [.x]}]}", ["a"]),
        ("a: {script: x}\nb: {stage: test}", ["a"]),
        ("a: {script: x, needs: [b]}\nb: {script: x, needs: [zz]}\nc: {script: x}", ["c"]),
        ("a: {script: x, dependencies: [zz]}\nc: {script: x}", ["c"]),
        ("a: {script: x, rules: [{needs: [zz]}]}\nc: {script: x}", ["c"]),
        ("a: {script: x, needs: ['p 1/2']}\np: {script: x, parallel: 2}", ["a", "p"]),
        ("a: {script: x, needs: [{job: zz, optional: true}]}", ["a"]),
        ("a: {script: x, environment: {name: e, on_stop: zz}}", ["a"]),
        (".a: {script: x}", []),
        ("a: {script: x}\nb: {script: '$[[ inputs.i ]]'}", ["a"]),
        ("a: {script: x}\n$[[ inputs.i ]]: {script: x}", ["a"]),
        ("a: {script: x}\n.b: {script: '$[[ inputs.i ]]'}", ["a"]),
        ("a: {script: x, needs: [b, c]}\nb: {script: x, needs: [c, z]}\nc: {stage: test}", []),
    ],
)
def test_jobs_that_are_known_in_full_are_left(text: str, left: Sequence[str]) -> None:
    config, _ = config_of(text)
    assert list(config.jobs) == left


def test_what_is_left_out_is_named() -> None:
    _, problems = config_of(
        "a: {script: x, needs: [b]}\nb: {script: x, needs: [c]}\nd: {stage: test}"
    )
    assert [(str(p.at), p.message, p.hint) for p in problems] == [
        ("f:3:1", "job `d` has nothing to run", "it may be there"),
        ("f:2:24", "job `b` needs `c`, which is not known here", "it may be there"),
        ("f:1:1", "job `a` is left out, with a job that it needs", ""),
        ("f:2:1", "job `b` is left out, with a job that it needs", ""),
    ]


def test_what_takes_an_input_is_named_unless_it_is_hidden() -> None:
    _, problems = config_of("a: {script: '$[[ inputs.i ]]'}\n.b: {script: '$[[ inputs.i ]]'}")
    message = "`a` is left out: it has inputs, which are not filled in"
    assert [(problem.code, problem.message) for problem in problems] == [("left_out", message)]


def test_stages_of_unknown_place_come_last() -> None:
    config, problems = config_of("a: {script: x, stage: y}\nb: {script: x, stage: z}")
    assert config.stages == (".pre", "build", "test", "deploy", "y", "z", ".post")
    assert [problem.code for problem in problems] == ["unknown_stage", "unknown_stage"]
