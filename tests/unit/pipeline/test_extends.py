from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.pipeline import extends as subject
from tracekeeper.pipeline.extends import extend
from tracekeeper.pipeline.limits import MAX_EXTENDS_LEVELS
from tracekeeper.pipeline.node import Mapping, Node, Scalar, Sequence
from tracekeeper.pipeline.yaml import parse
from tracekeeper.problems import Position, Problem


def plain(node: Node) -> Any:
    match node:
        case Mapping():
            return {entry.key: plain(entry.value) for entry in node}
        case Sequence():
            return [plain(item) for item in node.items]
        case Scalar():
            return node.value
    raise AssertionError(node)


def extended(text: str, elsewhere: str = "") -> tuple[Any, list[Problem]]:
    document = parse(text.encode(), "ci.yml", [])
    assert isinstance(document, Mapping)
    problems: list[Problem] = []
    return plain(extend(document, problems, elsewhere=elsewhere)), problems


def chain(levels: int) -> str:
    """Jobs j0 … jN, each extending the next."""
    jobs = [f"j{n}: {{extends: j{n + 1}, k{n}: {n}}}" for n in range(levels)]
    return "\n".join([*jobs, f"j{levels}: {{last: 1}}"])


def at(line: int, column: int) -> Position:
    return Position("ci.yml", line, column)


def test_a_job_overrides_its_parent_key_by_key() -> None:
    result, problems = extended("""
.base: {image: a, script: [x, y], variables: {A: 1, B: 1}, cache: 1}
job: {extends: .base, script: [z], variables: {B: 2}, cache: null}
""")
    assert problems == []
    assert result["job"] == {
        "image": "a", "script": ["z"], "variables": {"A": 1, "B": 2}, "cache": None,
    }  # fmt: skip
    assert result[".base"]["script"] == ["x", "y"]


def test_a_later_parent_overrides_an_earlier_one() -> None:
    result, _ = extended(".a: {x: 1, y: 1}\n.b: {y: 2, z: 2}\njob: {extends: [.a, .b], z: 3}")
    assert result["job"] == {"x": 1, "y": 2, "z": 3}


def test_a_parent_may_stand_below_and_extend_in_turn() -> None:
    result, problems = extended("job: {extends: mid}\nmid: {extends: .top, y: 2}\n.top: {x: 1}")
    assert problems == []
    assert result["job"] == {"x": 1, "y": 2}
    assert result["mid"] == {"x": 1, "y": 2}


def test_keywords_that_are_no_jobs_are_left_alone() -> None:
    result, problems = extended("variables: {extends: x}\nstages: [a]\ndefault: {extends: y}")
    assert problems == []
    assert result == {"variables": {"extends": "x"}, "stages": ["a"], "default": {"extends": "y"}}


def test_the_deepest_chain_that_is_allowed() -> None:
    result, problems = extended(chain(MAX_EXTENDS_LEVELS))
    assert problems == []
    assert result["j0"]["last"] == 1


def test_a_chain_that_is_too_deep_is_named_in_full() -> None:
    result, problems = extended(chain(MAX_EXTENDS_LEVELS + 1))
    assert [problem.code for problem in problems] == ["extends_too_deep"]
    assert problems[0].at == at(12, 7)
    assert "j0 → j1 → j2" in problems[0].message
    assert "extends" in result["j0"]


def test_too_deep_by_way_of_a_job_that_is_done_already() -> None:
    jobs = chain(MAX_EXTENDS_LEVELS) + "\nmore: {extends: j0}\nmost: {extends: more}"
    result, problems = extended(jobs)
    assert [(problem.code, problem.at) for problem in problems] == [("extends_too_deep", at(13, 8))]
    assert "extends" in result["more"]
    assert "extends" in result["most"]


def test_the_deepest_parent_counts_wherever_it_is_named() -> None:
    deep = chain(MAX_EXTENDS_LEVELS)
    _, problems = extended(f"{deep}\nflat: {{x: 1}}\nmore: {{extends: [j0, flat]}}")
    assert [problem.at for problem in problems] == [at(14, 8)]


def test_a_chain_without_end_does_not_exhaust_the_stack() -> None:
    _, problems = extended(chain(5000))
    assert {problem.code for problem in problems} == {"extends_too_deep"}


def test_an_unknown_parent_is_named_with_the_nearest() -> None:
    result, problems = extended(".base: {x: 1}\n.more: {y: 1}\njob:\n  extends: [.more, .bsae]\n")
    assert [(p.code, p.at) for p in problems] == [("unknown_parent", at(4, 20))]
    assert problems[0].message == "`job` extends `.bsae`, which does not exist"
    assert problems[0].hint == "did you mean `.base`?"
    assert result["job"] == {"y": 1, "extends": [".more", ".bsae"]}


def test_an_unknown_parent_may_be_elsewhere() -> None:
    _, problems = extended("job: {extends: .template}", elsewhere="look there")
    assert problems[0].hint == "look there"


def test_an_unknown_parent_in_an_unread_file_is_a_warning() -> None:
    problems: list[Problem] = []
    document = parse(b"job: {extends: .template}", "f", problems)
    assert isinstance(document, Mapping)
    extend(document, problems, unread=True)
    assert [(p.code, p.warning) for p in problems] == [("unknown_parent", True)]


def test_a_job_is_no_suggestion_for_its_own_parent() -> None:
    _, problems = extended("lint: {extends: .lint}\n", elsewhere="look there")
    assert problems[0].hint == "look there"


def test_a_job_on_an_incomplete_parent_is_marked_but_not_reported() -> None:
    text = "a: {extends: .none}\nb: {extends: a}\nc: {extends: b}\n"
    result, problems = extended(text)
    assert len(problems) == 1
    assert [name for name in result if "extends" in result[name]] == ["a", "b", "c"]


def test_a_circle_is_named_in_full_and_once() -> None:
    result, problems = extended("a: {extends: b}\nb: {extends: c}\nc: {extends: a, x: 1}\n")
    assert [(p.code, p.at) for p in problems] == [("extends_cycle", at(3, 14))]
    assert "a → b → c → a" in problems[0].message
    assert result["a"]["x"] == 1


def test_a_job_that_extends_itself() -> None:
    _, problems = extended("job: {extends: job}")
    assert "job → job" in problems[0].message


def test_only_jobs_can_be_extended() -> None:
    _, problems = extended("stages: [a]\njob: {extends: stages}")
    assert [problem.code for problem in problems] == ["bad_extends"]
    assert problems[0].message == "`job` extends `stages`, which is not a job"


@pytest.mark.parametrize("value", ["{a: b}", "null", "[[a]]", "!reference [a, b]"])
def test_extends_takes_names(value: str) -> None:
    document = parse(f"a: {{x: 1}}\njob: {{extends: {value}}}".encode(), "ci.yml", [])
    assert isinstance(document, Mapping)
    problems: list[Problem] = []
    extend(document, problems)
    assert [problem.code for problem in problems] == ["bad_extends"]


def test_merging_that_explodes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    text = ".a: {variables: {A: 1, B: 2}}\nx: {extends: .a}\ny: {extends: .a}\n"
    monkeypatch.setattr(subject, "MAX_MERGED_NODES", 6)
    assert extended(text)[1] == []
    monkeypatch.setattr(subject, "MAX_MERGED_NODES", 5)
    result, problems = extended(text)
    assert [(p.code, p.at) for p in problems] == [("too_large", at(3, 5))]
    assert result["x"] == {"extends": ".a"}


# Against a slow version that is obviously right

_names = [f"j{n}" for n in range(5)]


@st.composite
def _jobs(draw: st.DrawFn) -> dict[str, dict[str, Any]]:
    """Jobs that extend only later ones, in any order of the file."""
    body = st.dictionaries(
        st.sampled_from("abv"),
        st.integers(0, 9) | st.dictionaries(st.sampled_from("xy"), st.integers(0, 9), max_size=2),
        max_size=3,
    )
    jobs: dict[str, dict[str, Any]] = {}
    for index, name in enumerate(_names):
        jobs[name] = dict(draw(body))
        if later := _names[index + 1 :]:
            parents = draw(st.lists(st.sampled_from(later), max_size=3))
            if parents:
                jobs[name]["extends"] = parents[0] if len(parents) == 1 else parents
    return {name: jobs[name] for name in draw(st.permutations(_names))}


def slow_merge(base: Any, override: Any) -> Any:
    if not (isinstance(base, dict) and isinstance(override, dict)):
        return override
    keys = [*base, *(key for key in override if key not in base)]
    return {k: slow_merge(base.get(k), override[k]) if k in override else base[k] for k in keys}


def slow_extend(jobs: dict[str, dict[str, Any]], name: str) -> Any:
    job = dict(jobs[name])
    parents = job.pop("extends", [])
    merged: Any = {}
    for parent in [parents] if isinstance(parents, str) else parents:
        merged = slow_merge(merged, slow_extend(jobs, parent))
    return slow_merge(merged, job)


@given(_jobs())
def test_extends_as_the_slow_version_does(jobs: dict[str, dict[str, Any]]) -> None:
    result, problems = extended(yaml.safe_dump(jobs, sort_keys=False))
    assert problems == []
    assert result == {name: slow_extend(jobs, name) for name in jobs}
    assert list(result) == list(jobs)
