# ruff: noqa: E501 — tables of cases, one a line
from collections.abc import Callable

import pytest

from tracekeeper.pipeline.config import (
    Config,
    JobConfig,
    OnlyExcept,
    PathCondition,
    Rule,
    Variable,
    Workflow,
)
from tracekeeper.problems import Position

Read = Callable[[str], JobConfig]
Messages = Callable[[str], list[str]]

AT = Position("f", 3, 5)


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        ("if: $A == 'b'", Rule(AT, condition="$A == 'b'")),
        ("when: never", Rule(AT, when="never")),
        ("{if: $A, when: delayed, start_in: 5 minutes}", Rule(AT, "$A", when="delayed", start_in=300)),
        ("{if: null, allow_failure: true, interruptible: false}", Rule(AT, allow_failure=True, interruptible=False)),
        ("variables: {A: 1}", Rule(AT, variables={"A": Variable("A", "1")})),
        ("needs: []", Rule(AT, needs=())),
        ("changes: [a, b]", Rule(AT, changes=PathCondition(("a", "b"), Position("f", 3, 14)))),
        ("changes: {paths: [a], compare_to: main}", Rule(AT, changes=PathCondition(("a",), Position("f", 3, 14), "main"))),
        ("exists: [a]", Rule(AT, exists=PathCondition(("a",), Position("f", 3, 13)))),
        ("exists: {paths: [a]}", Rule(AT, exists=PathCondition(("a",), Position("f", 3, 13)))),
    ],
)  # fmt: skip
def test_rules(job_of: Read, written: str, rule: Rule) -> None:
    assert job_of(f"rules:\n- {written}").rules == (rule,)


def test_rules_are_laid_flat(job_of: Read) -> None:
    rules = job_of("rules: [[{if: $A}, [{if: $B}]], {when: never}]").rules
    assert [rule.condition for rule in rules or ()] == ["$A", "$B", None]


@pytest.mark.parametrize(("written", "rules"), [("[]", ()), ("null", None)])
def test_empty_rules(job_of: Read, written: str, rules: tuple[Rule, ...] | None) -> None:
    assert job_of(f"rules: {written}").rules == rules


@pytest.mark.parametrize(
    ("written", "messages"),
    [
        ("{}", ["an entry of `rules` must not be empty"]),
        ("x", ["`rules` must be a mapping, not a string (its keywords: if, changes, exists, variables, when, start_in, allow_failure, needs, interruptible)"]),
        ("{iff: $A}", ["`iff` is not a keyword of `rules` (did you mean `if`?)"]),
        ("{if: 5}", ['`rules:if` must be a string, not a number (write it in quotes: "5")']),
        ("{if: [x]}", ["`rules:if` must be a string, not a list"]),
        ("{when: mannual}", ["`rules:when` must be one of on_success, on_failure, always, never, manual, delayed, not `mannual` (did you mean `manual`?)"]),
        ("{when: delayed}", ['`rules:when: delayed` needs `start_in` (for example "30 minutes")']),
        ("{if: $A, start_in: 5}", ['`rules:start_in` must be a string, not a number (write it in quotes: "5")', "`rules:start_in` has no meaning without `when: delayed`"]),
        ("{when: delayed, start_in: 1 week}", ["`rules:start_in` must be less than 1 week"]),
        ("{allow_failure: {exit_codes: 1}}", ["`rules:allow_failure` must be true or false, not a mapping"]),
        ("{changes: a}", ["`rules:changes` must be a list, not a string (write [a])"]),
        ("{changes: {compare_to: a}}", ["`rules:changes` needs `paths`"]),
        ("{exists: {paths: [a], project: b, ref: c}}", ["`rules:exists:project` is accepted, but has no effect in Tracekeeper", "`rules:exists:ref` is accepted, but has no effect in Tracekeeper"]),
        (f"{{exists: [{', '.join('a' * 51)}]}}", ["`rules:exists` has 51 entries, at most 50 are allowed"]),
    ],
)  # fmt: skip
def test_mistakes(job_messages_of: Messages, written: str, messages: list[str]) -> None:
    assert job_messages_of(f"rules: [{written}]") == messages


@pytest.mark.parametrize("keywords", ["rules: [{if: $A ==}]", "only: {variables: [$A ==]}"])
def test_expressions_are_checked(job_messages_of: Messages, keywords: str) -> None:
    (message,) = job_messages_of(keywords)
    assert message.startswith(("`rules:if`: ", "`only:variables`: "))


@pytest.mark.parametrize(
    ("written", "workflow"),
    [
        ("{}", Workflow()),
        ("null", Workflow()),
        ("{name: the $X, rules: []}", Workflow("the $X", ())),
        ("{rules: [{if: $A, when: never, variables: {B: c}}]}", Workflow("", (Rule(Position("f", 1, 20), "$A", when="never", variables={"B": Variable("B", "c")}),))),
    ],
)  # fmt: skip
def test_workflow(config_of: Callable[[str], Config], written: str, workflow: Workflow) -> None:
    assert config_of(f"workflow: {written}\njob: {{script: x}}").workflow == workflow


@pytest.mark.parametrize(
    ("written", "messages"),
    [
        ("{rules: [{when: manual}]}", ["`workflow:rules:when` must be one of always, never, not `manual`"]),
        ("{rules: [{needs: []}]}", ["`workflow:rules:needs` is accepted, but has no effect in Tracekeeper"]),
        ("{rules: [{tags: []}]}", ["`tags` is not a keyword of `workflow:rules` (known: if, changes, exists, variables, when, auto_cancel, allow_failure, needs)"]),
        ("{auto_cancel: {on_new_commit: none}}", ["`workflow:auto_cancel` is accepted, but has no effect in Tracekeeper"]),
        ("{rules: [{auto_cancel: {on_job_failure: some}}]}", ["`workflow:rules:auto_cancel` is accepted, but has no effect in Tracekeeper", "`workflow:rules:auto_cancel:on_job_failure` must be one of none, all, not `some`"]),
    ],
)  # fmt: skip
def test_mistakes_in_workflow(messages_of: Messages, written: str, messages: list[str]) -> None:
    assert messages_of(f"workflow: {written}\njob: {{script: x}}") == messages


@pytest.mark.parametrize(
    ("written", "only"),
    [
        ("[main, /^v/]", OnlyExcept(Position("f", 2, 9), refs=("main", "/^v/"))),
        ("{refs: [tags], changes: [a]}", OnlyExcept(Position("f", 2, 9), refs=("tags",), changes=("a",))),
        ("{variables: [$A], kubernetes: active}", OnlyExcept(Position("f", 2, 9), variables=("$A",), kubernetes=True)),
        ("null", None),
    ],
)  # fmt: skip
def test_only(job_of: Read, written: str, only: OnlyExcept | None) -> None:
    assert job_of(f"only: {written}").only == only


def test_except(job_of: Read) -> None:
    assert job_of("except: [main]").except_ == OnlyExcept(Position("f", 2, 11), refs=("main",))


@pytest.mark.parametrize(
    ("written", "messages"),
    [
        ("main", ["`only` must be a list of refs or a mapping, not a string (write [main])"]),
        ("!reference [a, b]", ["`only` must be a list of refs or a mapping, not a !reference"]),
        ("{ref: [a]}", ["`ref` is not a keyword of `only` (did you mean `refs`?)"]),
        ("{kubernetes: yes}", ['`only:kubernetes` must be a string, not a boolean (write it in quotes: "yes")']),
    ],
)  # fmt: skip
def test_mistakes_in_only(job_messages_of: Messages, written: str, messages: list[str]) -> None:
    assert job_messages_of(f"only: {written}") == messages
