# ruff: noqa: E501 — tables of cases, one a line
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.pipeline.node import Entry, Mapping, Node, Reference, Scalar, Sequence, Value
from tracekeeper.pipeline.reading import values
from tracekeeper.pipeline.reading.findings import Findings
from tracekeeper.problems import Position, Problem

HERE = Position("f", 1, 1)
KEY = Position("f", 2, 1)


def scalar(value: Value) -> Scalar:
    return Scalar(value, str(value), HERE)


def sequence(*items: Node) -> Sequence:
    return Sequence(items, HERE)


def mapping(**entries: Node) -> Mapping:
    return Mapping({key: Entry(key, node, KEY) for key, node in entries.items()}, HERE)


def read(reader: values.Reader[Any], node: Node) -> tuple[Any, list[Problem]]:
    problems: list[Problem] = []
    return reader(node, "key", Findings(problems)), problems


def value(reader: values.Reader[Any], node: Node) -> Any:
    result, problems = read(reader, node)
    assert not problems
    return result


def message(reader: values.Reader[Any], node: Node) -> str:
    _, problems = read(reader, node)
    assert len(problems) == 1
    return f"{problems[0].code}: {problems[0].message} ({problems[0].hint})"


@pytest.mark.parametrize(
    ("node", "kind"),
    [
        (scalar("x"), "a string"),
        (scalar(1), "a number"),
        (scalar(1.5), "a number"),
        (scalar(True), "a boolean"),
        (scalar(None), "empty"),
        (sequence(), "a list"),
        (mapping(), "a mapping"),
        (Reference(("a",), HERE), "a !reference"),
    ],
)
def test_kind(node: Node, kind: str) -> None:
    assert values.kind(node) == kind


@pytest.mark.parametrize(
    ("reader", "node", "expected"),
    [
        (values.string, scalar("x"), "x"),
        (values.string, scalar(""), ""),
        (values.name, scalar("x"), "x"),
        (values.boolean, scalar(False), False),
        (values.integer(0, 2), scalar(0), 0),
        (values.integer(0, 2), scalar(2), 2),
        (values.choice(("a", "b")), scalar("b"), "b"),
        (values.strings, sequence(), ()),
        (values.strings, sequence(scalar("a"), sequence(scalar("b"))), ("a", "b")),
        (values.one_or_listed(values.string), scalar("a"), ("a",)),
        (values.one_or_listed(values.string), sequence(scalar("a")), ("a",)),
        (values.duration, scalar("1h"), 3600),
        (values.duration_below(60, "1 minute"), scalar("59"), 59),
        (values.or_variable(values.choice(("a",))), scalar("a"), "a"),
        (values.or_variable(values.choice(("a",))), scalar("x$A"), "x$A"),
    ],
)
def test_good_values(reader: values.Reader[Any], node: Node, expected: object) -> None:
    assert value(reader, node) == expected


@pytest.mark.parametrize(
    ("reader", "node", "expected"),
    [
        (values.string, scalar(5), 'wrong_type: `key` must be a string, not a number (write it in quotes: "5")'),
        (values.string, scalar(None), "wrong_type: `key` must be a string, not empty ()"),
        (values.string, sequence(), "wrong_type: `key` must be a string, not a list ()"),
        (values.name, scalar(""), "wrong_value: `key` must not be empty ()"),
        (values.name, sequence(), "wrong_type: `key` must be a string, not a list ()"),
        (values.boolean, scalar("yes"), "wrong_type: `key` must be true or false, not a string ()"),
        (values.boolean, sequence(), "wrong_type: `key` must be true or false, not a list ()"),
        (values.integer(0, 2), scalar(True), "wrong_type: `key` must be a whole number from 0 to 2, not a boolean ()"),
        (values.integer(0, 2), scalar(3), "wrong_value: `key` must be from 0 to 2, not 3 ()"),
        (values.integer(1, 2), scalar(0), "wrong_value: `key` must be from 1 to 2, not 0 ()"),
        (values.choice(("always", "b")), scalar("alway"), "wrong_value: `key` must be one of always, b, not `alway` (did you mean `always`?)"),
        (values.choice(("a",), {"z": "not here"}), scalar("z"), "wrong_value: `key` must be one of a, not `z` (not here)"),
        (values.choice(("a",)), sequence(), "wrong_type: `key` must be a string, not a list ()"),
        (values.strings, scalar("a"), "wrong_type: `key` must be a list, not a string (write [a])"),
        (values.strings, mapping(), "wrong_type: `key` must be a list, not a mapping ()"),
        (values.listed(values.string, 1), sequence(scalar("a"), scalar("b")), "wrong_value: `key` has 2 entries, at most 1 are allowed ()"),
        (values.duration, scalar("soon"), 'wrong_value: `key` is not a duration: `soon` (for example "90", "30 minutes", "1h 30m" or "2 days")'),
        (values.duration_below(60, "1 minute"), scalar("60"), "wrong_value: `key` must be less than 1 minute ()"),
        (values.or_variable(values.choice(("a",))), scalar(1), 'wrong_type: `key` must be a string, not a number (write it in quotes: "1")'),
        (values.duration, scalar(90), 'wrong_type: `key` must be a string, not a number (write it in quotes: "90")'),
    ],
)  # fmt: skip
def test_bad_values(reader: values.Reader[Any], node: Node, expected: str) -> None:
    assert message(reader, node) == expected


@pytest.mark.parametrize("reader", [values.choice(("a", "b")), values.name])
def test_what_is_no_string_is_reported_once(reader: values.Reader[str]) -> None:
    _, problems = read(reader, scalar(1))
    assert [problem.code for problem in problems] == ["wrong_type"]


@given(st.integers(0, 15))
def test_lists_nest_ten_levels(depth: int) -> None:
    node: Node = scalar("deep")
    for _ in range(depth):
        node = sequence(node, scalar("x"))
    result, problems = read(values.strings, sequence(node))
    assert [problem.code for problem in problems] == (["wrong_value"] if depth >= 10 else [])
    assert depth >= 10 or result == ("deep", *["x"] * depth)


TABLE: values.Table = {"alpha": values.string, "beta": values.boolean, "gamma": values.not_acted_on}


def fields(node: Node, what: str = "key") -> tuple[dict[str, Any], list[Problem]]:
    problems: list[Problem] = []
    return values.fields(node, what, TABLE, Findings(problems)), problems


def test_fields_reads_what_is_given() -> None:
    assert fields(mapping(alpha=scalar("x"), beta=scalar(None))) == ({"alpha": "x"}, [])


@pytest.mark.parametrize(("what", "name"), [("key", "key:alpha"), ("", "alpha")])
def test_fields_names_the_keyword_with_its_path(what: str, name: str) -> None:
    _, problems = fields(mapping(alpha=sequence()), what)
    assert problems[0].message == f"`{name}` must be a string, not a list"


def test_fields_wants_a_mapping() -> None:
    result, problems = fields(scalar("x"))
    assert result == {}
    assert str(problems[0]) == (
        "f:1:1: error: `key` must be a mapping, not a string (its keywords: alpha, beta, gamma)"
    )


@pytest.mark.parametrize(
    ("key", "hint"), [("alhpa", "did you mean `alpha`?"), ("zz", "known: alpha, beta, gamma")]
)
def test_unknown_keywords_stand_at_their_key(key: str, hint: str) -> None:
    _, problems = fields(mapping(**{key: scalar("x")}))
    message = f"`{key}` is not a keyword of `key`"
    assert problems == [Problem("unknown_keyword", message, KEY, hint)]


def test_an_unknown_keyword_among_many_gets_no_list() -> None:
    many: values.Table = {f"keyword{number}": values.string for number in range(20)}
    problems: list[Problem] = []
    values.fields(mapping(zz=scalar("x")), "", many, Findings(problems))
    assert problems == [Problem("unknown_keyword", "`zz` is not a keyword of a job", KEY)]


@pytest.mark.parametrize("node", [scalar(True), scalar("x"), sequence(), mapping()])
def test_what_has_no_effect_is_named(node: Node) -> None:
    result, problems = fields(mapping(gamma=node))
    assert result == {}
    message = "`key:gamma` is accepted, but has no effect in Tracekeeper"
    assert problems == [Problem("not_acted_on", message, KEY, warning=True)]


@pytest.mark.parametrize("node", [scalar(None), scalar(False)])
def test_what_is_off_needs_no_effect(node: Node) -> None:
    assert fields(mapping(gamma=node)) == ({}, [])


@pytest.mark.parametrize(
    ("node", "given", "codes"),
    [
        (mapping(), {}, ["missing_keyword"]),
        (mapping(), {"alpha": ""}, []),
        (scalar("x"), {}, []),
    ],
)
def test_required(node: Node, given: dict[str, str], codes: list[str]) -> None:
    problems: list[Problem] = []
    values.required(node, "key", "alpha", given, Findings(problems))
    assert [problem.code for problem in problems] == codes


def test_readers_of_everything_survive_every_kind_of_node() -> None:
    readers: list[Callable[[Node, str, Findings], Any]] = [
        values.string, values.name, values.boolean, values.integer(0, 1), values.choice(("a",)),
        values.strings, values.one_or_listed(values.string), values.duration,
    ]  # fmt: skip
    for reader in readers:
        for node in (scalar(None), scalar(1.5), mapping(a=scalar(1)), Reference((), HERE)):
            _, problems = read(reader, node)
            assert problems
