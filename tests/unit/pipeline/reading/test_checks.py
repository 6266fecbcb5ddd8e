# ruff: noqa: E501 — tables of cases, one a line
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.pipeline import node as nodes
from tracekeeper.pipeline.config import Environment, JobConfig, MatrixRow, Need
from tracekeeper.pipeline.reading.checks import check_jobs, instance_names
from tracekeeper.pipeline.reading.findings import Findings
from tracekeeper.pipeline.reading.jobs import ReadJob
from tracekeeper.problems import Position, Problem

AT = Position("f", 1, 1)


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        ("a: {script: x, stage: tset}", ["1:23 unknown_stage"]),
        ("stages: [build]\na: {script: x}", ["2:1 unknown_stage"]),
        ("stages: []\na: {script: x}", ["2:1 unknown_stage"]),
        ("a: {script: x, stage: .pre}", ["1:1 no_regular_stage warning"]),
        ("a: {script: x, stage: .post}\nb: {script: x}", []),
        ("a: {script: x, needs: [a]}", ["1:24 need_of_itself"]),
        ("a: {script: x, needs: [b]}", ["1:24 unknown_job"]),
        ("a: {script: x, needs: [{job: b, optional: true}]}", []),
        ("a: {script: x, needs: [.b]}\n.b: {script: x}", ["1:24 unknown_job"]),
        ("a: {script: x, rules: [{needs: [b]}]}", ["1:33 unknown_job"]),
        ("a: {script: x, needs: [b, {job: b}]}\nb: {script: x}", ["1:27 duplicate_need"]),
        ("a: {script: x, needs: [b]}\nb: {script: x}", []),
        ("a: {script: x, needs: [b]}\nb: {script: x, stage: deploy}", ["1:24 later_stage"]),
        ("a: {script: x, needs: [b]}\nb: {script: x, stage: nope}", ["2:23 unknown_stage"]),
        ("a: {script: x, stage: nope, needs: [b]}\nb: {script: x}", ["1:23 unknown_stage"]),
        ("a: {script: x, dependencies: [b]}", ["1:31 unknown_job"]),
        ("a: {script: x, dependencies: [[b]]}", ["1:32 unknown_job"]),
        ("a: {script: x, dependencies: [b]}\nb: {script: x, stage: deploy}", ["1:31 later_stage"]),
        ("a: {script: x, dependencies: b}", ["1:30 wrong_type"]),
        ("a: {script: x, needs: [b], dependencies: [c]}\nb: {script: x}\nc: {script: x}", ["1:43 dependency_not_needed"]),
        ("a: {script: x, needs: [b], dependencies: ['']}\nb: {script: x}", ["1:43 wrong_value"]),
        ("a: {script: x, needs: [], dependencies: [b]}\nb: {script: x}", []),
        ("a: {script: x, needs: [b]}\nb: {script: x, needs: [a]}", ["2:24 cycle"]),
        ("a: {script: x, needs: [b 1/2]}\nb: {script: x, parallel: 2}", []),
        ("a: {script: x, needs: [b 3/2]}\nb: {script: x, parallel: 2}", ["1:24 unknown_job"]),
        ("a: {script: x, needs: ['b: [1, 3]']}\nb: {script: x, parallel: {matrix: [{A: [1, 2], B: 3}]}}", []),
        ("a: {script: x, environment: {name: e, on_stop: b}}", ["1:48 bad_on_stop"]),
        ("a: {script: x, environment: {name: e, on_stop: b}}\nb: {script: x}", ["1:48 bad_on_stop"]),
        ("a: {script: x, environment: {name: e, on_stop: b}}\nb: {script: x, environment: {name: f, action: stop}}", ["1:48 bad_on_stop"]),
        ("a: {script: x, environment: {name: e, on_stop: b}}\nb: {script: x, environment: e}", ["1:48 bad_on_stop"]),
        ("a: {script: x, environment: {name: e, on_stop: b}}\nb: {script: x, environment: {name: e, action: stop}}", []),
    ],
)  # fmt: skip
def test_findings(findings_of: Callable[[str], list[str]], text: str, findings: list[str]) -> None:
    assert findings_of(text) == findings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: {script: x, stage: tset}", "stage `tset` of job `a` is not in `stages` (did you mean `test`? known: .pre, build, test, deploy, .post)"),
        ("stages: [one]\na: {script: x, stage: zzz}", "stage `zzz` of job `a` is not in `stages` (known: .pre, one, .post)"),
        ("{lint-it: {script: x, needs: [lint_it]}}", "job `lint-it` needs `lint_it`, which does not exist (did you mean `lint-it`?)"),
        ("a: {script: x, needs: [b]}\nb: {script: x, stage: deploy}", "job `a` needs `b`, which is in a later stage (stage `deploy` comes after `test`)"),
        ("a: {script: x, needs: [b]}\nb: {script: x, needs: [c]}\nc: {script: x, needs: [b]}", "jobs need each other in a circle: b → c → b"),
        ("a: {script: x, needs: [b]}\nb: {script: x, needs: [c]}\nc: {script: x, needs: [a]}", "jobs need each other in a circle: a → b → c → a"),
        ("a: {script: x, environment: {name: e, on_stop: b}}", "`on_stop` of job `a` is `b`, which does not exist"),
    ],
)  # fmt: skip
def test_messages(messages_of: Callable[[str], list[str]], text: str, message: str) -> None:
    assert messages_of(text) == [message]


def test_instance_names() -> None:
    rows = (
        MatrixRow({"A": ("1", "2"), "B": ("x",)}, AT),
        MatrixRow({"C": ("3",)}, AT),
    )
    assert list(instance_names(JobConfig("j", AT))) == []
    assert list(instance_names(JobConfig("j", AT, parallel=2))) == ["j 1/2", "j 2/2"]
    assert list(instance_names(JobConfig("j", AT, matrix=rows))) == [
        "j: [1, x]",
        "j: [2, x]",
        "j: [3]",
    ]


def has_cycle(edges: set[tuple[int, int]]) -> bool:
    """Whether a graph has a cycle: leaves are taken away until there are none."""
    left = set(edges)
    while True:
        sources = {source for source, _ in left}
        inner = {edge for edge in left if edge[1] in sources}
        if inner == left:
            return bool(left)
        left = inner


@given(st.sets(st.tuples(st.integers(0, 6), st.integers(0, 6)).filter(lambda e: e[0] != e[1])))
def test_cycles_are_found_just_where_there_are_some(edges: set[tuple[int, int]]) -> None:
    empty = nodes.Mapping({}, AT)
    jobs = {}
    for number in range(7):
        needs = tuple(
            Need(f"j{target}", Position("f", source, target + 1))
            for source, target in sorted(edges)
            if source == number
        )
        name = f"j{number}"
        jobs[name] = ReadJob(JobConfig(name, AT, needs=needs), empty)
    problems: list[Problem] = []
    check_jobs(jobs, (".pre", "test", ".post"), Findings(problems))
    assert {problem.code for problem in problems} == ({"cycle"} if has_cycle(edges) else set())


def test_long_chains_need_no_recursion() -> None:
    empty = nodes.Mapping({}, AT)
    jobs = {
        f"j{number}": ReadJob(
            JobConfig(f"j{number}", AT, needs=(Need(f"j{(number + 1) % 5000}", AT),)), empty
        )
        for number in range(5000)
    }
    problems: list[Problem] = []
    check_jobs(jobs, ("test",), Findings(problems))
    assert [problem.code for problem in problems] == ["cycle"]


def test_what_an_unread_file_may_hold_is_no_error() -> None:
    problems: list[Problem] = []
    findings = Findings(problems, elsewhere="it may be there", unread=True)
    place = Environment("e", on_stop="stopper")
    config = JobConfig("a", AT, "test", needs=(Need("zzz", AT),), environment=place)
    check_jobs({"a": ReadJob(config, nodes.Mapping({}, AT))}, ("test",), findings)
    assert [(problem.code, problem.warning) for problem in problems] == [("unknown_job", True)]


def test_what_is_unknown_may_be_elsewhere() -> None:
    problems: list[Problem] = []
    needs = (Need("zzz", AT),)
    jobs = {"a": ReadJob(JobConfig("a", AT, "nope", needs=needs), nodes.Mapping({}, AT))}
    check_jobs(jobs, ("test",), Findings(problems, elsewhere="it may be there"))
    assert [problem.hint for problem in problems] == [
        "known: test; it may be there",
        "it may be there",
    ]
