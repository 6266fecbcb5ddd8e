from typing import Any

import pytest

from tracekeeper.pipeline import reference as subject
from tracekeeper.pipeline.limits import MAX_DEPTH, MAX_REFERENCE_LEVELS
from tracekeeper.pipeline.node import Mapping, Node, Reference, Scalar, Sequence
from tracekeeper.pipeline.reference import resolve_references
from tracekeeper.pipeline.yaml import parse
from tracekeeper.problems import Position, Problem


def tree(text: str) -> Mapping:
    problems: list[Problem] = []
    document = parse(text.encode(), "ci.yml", problems)
    assert problems == []
    assert isinstance(document, Mapping)
    return document


def plain(node: Node) -> Any:
    match node:
        case Mapping():
            return {entry.key: plain(entry.value) for entry in node}
        case Sequence():
            return [plain(item) for item in node.items]
        case Reference():
            return ("!reference", *node.path)
        case Scalar():
            return node.value


def resolved(text: str, elsewhere: str = "") -> tuple[Any, list[Problem]]:
    problems: list[Problem] = []
    return plain(resolve_references(tree(text), problems, elsewhere=elsewhere)), problems


def at(line: int, column: int) -> Position:
    return Position("ci.yml", line, column)


def test_takes_over_any_value() -> None:
    result, problems = resolved("""
.a: {script: [x, y], variables: {A: 1, B: 2}, image: i, flag: false}
job:
  image: !reference [.a, image]
  script: [first, !reference [.a, script], last]
  variables: !reference [.a, variables]
  one: !reference [.a, variables, B]
  flag: !reference [.a, flag]
  rest: !reference [.a]
""")
    assert problems == []
    assert result["job"] == {
        "image": "i",
        "script": ["first", ["x", "y"], "last"],
        "variables": {"A": 1, "B": 2},
        "one": 2,
        "flag": False,
        "rest": {"script": ["x", "y"], "variables": {"A": 1, "B": 2}, "image": "i", "flag": False},
    }


def test_a_reference_may_lead_to_references() -> None:
    result, problems = resolved("""
a: {script: !reference [b, script]}
b: {script: [1, !reference [c, script]]}
c: {script: [2]}
""")
    assert problems == []
    assert result["a"]["script"] == [1, [2]]


def test_what_has_no_reference_stays_the_same_object() -> None:
    document = tree("a: {b: [1, {c: 2}]}\nd: !reference [a, b]\n")
    result = resolve_references(document, [])
    assert result.entries["a"] is document.entries["a"]
    untouched = tree("a: [1]")
    assert resolve_references(untouched, []) is untouched


def test_a_missing_key_is_named_with_the_nearest() -> None:
    result, problems = resolved(".base: {script: [x]}\njob: {script: !reference [.base, scirpt]}")
    assert [(p.code, p.at) for p in problems] == [("unknown_reference", at(2, 15))]
    assert problems[0].message == (
        "`!reference [.base, scirpt]` leads nowhere: `.base` has no `scirpt`"
    )
    assert problems[0].hint == "did you mean `script`?"
    assert result["job"]["script"] == ("!reference", ".base", "scirpt")


def test_what_is_missing_in_an_unread_file_is_a_warning() -> None:
    problems: list[Problem] = []
    resolve_references(tree("job: {script: !reference [.x, script]}"), problems, unread=True)
    assert [(p.code, p.warning) for p in problems] == [("unknown_reference", True)]


def test_a_missing_job_may_be_elsewhere() -> None:
    _, problems = resolved("job: {script: !reference [.other, script]}", elsewhere="look there")
    assert "there is no `.other`" in problems[0].message
    assert problems[0].hint == "look there"


@pytest.mark.parametrize("path", ["a, list, x", "a, text, x", "a, nothing", "a, ref, x"])
def test_a_path_leads_through_mappings_to_something(path: str) -> None:
    jobs = "a: {list: [x], text: y, nothing: null, ref: !reference [b]}\nb: {x: 1}\n"
    _, problems = resolved(f"{jobs}j: !reference [{path}]")
    assert [problem.code for problem in problems] == ["unknown_reference"]


def test_a_circle_is_named_in_full() -> None:
    _, problems = resolved("a: {x: !reference [b, x]}\nb: {x: [!reference [a, x]]}\n")
    assert {problem.code for problem in problems} == {"reference_cycle"}
    assert "`!reference [b, x]` → `!reference [a, x]` → `!reference [b, x]`" in problems[0].message


def test_a_reference_to_itself_or_to_what_it_is_in() -> None:
    assert [p.code for p in resolved("a: {x: !reference [a, x]}")[1]] == ["reference_cycle"]
    assert [p.code for p in resolved("a: {x: !reference [a]}")[1]] == ["reference_cycle"]


def chain(levels: int) -> str:
    links = [f"k{n}: !reference [k{n + 1}]" for n in range(levels)]
    return "\n".join([*links, f"k{levels}: end"])


def test_the_longest_chain_that_is_allowed() -> None:
    result, problems = resolved(chain(MAX_REFERENCE_LEVELS))
    assert problems == []
    assert result["k0"] == "end"


def test_a_chain_that_is_too_long() -> None:
    _, problems = resolved(chain(MAX_REFERENCE_LEVELS + 1))
    assert [(p.code, p.at) for p in problems] == [("reference_too_deep", at(11, 6))]


def test_references_that_multiply_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "MAX_MERGED_NODES", 10_000)
    levels = [f"l{n}: [{', '.join([f'!reference [l{n + 1}]'] * 20)}]" for n in range(8)]
    result, problems = resolved("\n".join([*levels, "l8: x"]))
    assert [problem.code for problem in problems] == ["too_large"]
    assert result["l7"][0] == ("!reference", "l8")


def test_the_budget_counts_every_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "MAX_MERGED_NODES", 6)
    assert resolved("a: [1, 2, 3]")[1] == []
    assert [p.code for p in resolved("a: [1, 2, 3, 4]")[1]] == ["too_large"]


def test_references_do_not_deepen_without_end() -> None:
    half = MAX_DEPTH // 2
    nested = "[" * half + "{}" + "]" * half
    text = "\n".join([f"a: {nested.format('!reference [b]')}", f"b: {nested.format('[x]')}"])
    _, problems = resolved(text)
    assert [problem.code for problem in problems] == ["too_deep"]
