from collections.abc import Sequence
from textwrap import dedent

import pytest

from tracekeeper.errors import InvalidPipeline
from tracekeeper.pipeline.load import check, load, merge
from tracekeeper.pipeline.node import Mapping
from tracekeeper.pipeline.node import Sequence as List
from tracekeeper.problems import Problem


class Files:
    """A project in memory."""

    def __init__(self, files: dict[str, str]) -> None:
        self.files = files

    def read(self, path: str) -> bytes | None:
        content = self.files.get(path)
        return None if content is None else content.encode()

    def paths(self) -> Sequence[str]:
        return sorted(self.files)


def checked(top: str, **others: str) -> tuple[bool, list[tuple[str, str]]]:
    """Whether there is a config, and the (code, position) of every problem."""
    files = {"top.yml": top, **{f"{name}.yml": text for name, text in others.items()}}
    config, problems = check("top.yml", Files(files), {})
    return config is not None, [(problem.code, str(problem.at)) for problem in problems]


def test_includes_come_before_extends_and_extends_before_references() -> None:
    files = Files(
        {
            "top.yml": (
                "include: base.yml\n"
                "job: {extends: .base, script: [!reference [other, script], c]}\n"
                "other: {extends: .base}\n"
            ),
            "base.yml": ".base: {script: [a, b]}\n",
        }
    )
    problems: list[Problem] = []
    document = merge("top.yml", files, {}, problems)
    assert problems == []
    assert document is not None
    job = document.get("job")
    assert isinstance(job, Mapping)
    script = job.get("script")
    assert isinstance(script, List)
    assert script.items[0] is not None
    assert load("top.yml", files, {}).jobs["job"].script == ("a", "b", "c")


def test_warnings_travel_in_the_config() -> None:
    files = Files({"top.yml": "include: {template: X.yml}\njob: {script: a, script: b}\n"})
    config = load("top.yml", files, {})
    assert [(w.code, w.warning) for w in config.warnings] == [
        ("include_not_read", True), ("duplicate_key", True),
    ]  # fmt: skip
    assert config.jobs["job"].script == ("b",)


def test_every_error_is_raised_at_once_in_file_order() -> None:
    files = Files(
        {
            "top.yml": (
                "include: [b.yml, none.yml]\n"
                "a: {extends: .nobody}\n"
                "b: {script: !reference [.a, script]}\n"
                "c: {script: x, script: y, scripts: z}\n"
            ),
            "b.yml": "x: [\n",
        }
    )
    with pytest.raises(InvalidPipeline) as caught:
        load("top.yml", files, {})
    found = [(p.code, str(p.at)) for p in caught.value.problems]
    expected = ["syntax", "missing_file", "unknown_parent", "unknown_reference", "unknown_keyword"]
    assert [code for code, _ in found if code in expected] == expected
    assert found[0] == ("syntax", "b.yml:2:1")
    assert not any(problem.warning for problem in caught.value.problems)


def test_check_gives_errors_and_warnings_together() -> None:
    good, found = checked("job: {script: a, script: b}\nbad: {scripts: x, script: y}\n")
    assert not good
    assert found == [("duplicate_key", "top.yml:1:18"), ("unknown_keyword", "top.yml:2:7")]


def test_a_place_that_is_wrong_already_is_not_reported_again() -> None:
    _, found = checked("a: {script: !reference [.none, script]}\nb: {script: x}\n")
    assert found == [("unknown_reference", "top.yml:1:13")]


def test_a_job_without_its_parent_is_not_blamed_for_what_it_lacks() -> None:
    _, found = checked("a: {extends: .none}\nb: {script: x}\n")
    assert found == [("unknown_parent", "top.yml:1:14")]


def test_a_file_that_cannot_be_used() -> None:
    assert checked("[]") == (False, [("not_a_mapping", "top.yml:1:1")])


def test_an_empty_mapping_goes_to_the_reader() -> None:
    good, found = checked("{}")
    assert not good
    assert len(found) == 1


def test_a_parent_from_an_include_that_is_missing() -> None:
    files = Files({"top.yml": "include: {template: X.yml}\njob: {extends: .x, script: a}\n"})
    _, problems = check("top.yml", files, {})
    parent = problems[1]
    assert (parent.code, parent.warning) == ("unknown_parent", True)
    assert (
        parent.hint == "GitLab may know it from what is not acted on at top.yml:1:11; left out here"
    )


def test_a_parent_from_a_file_that_is_not_there() -> None:
    files = Files({"top.yml": "include: none.yml\njob: {extends: .x, script: a}\n"})
    config, problems = check("top.yml", files, {})
    assert config is None
    assert [problem.warning for problem in problems] == [False, False]
    assert problems[1].hint == "it may be in the file that is missing at top.yml:1:10"


def test_what_an_unread_file_may_hold_leaves_the_rest_of_the_pipeline() -> None:
    text = """\
        include: [{project: group/other, file: ci.yml}]
        default: !reference [.shared, default]
        a: {extends: .shared, script: x}
        b: {script: [x, !reference [.shared, script]]}
        c: {stage: test}
        d: {script: x, needs: [a]}
        e: {script: x, needs: [d]}
        f: {script: x, needs: [{job: a, optional: true}]}
        """
    config = load("top.yml", Files({"top.yml": dedent(text)}), {})
    assert list(config.jobs) == ["f"]
    assert [(w.code, w.at.line) for w in config.warnings] == [
        ("include_not_read", 1), ("unknown_reference", 2), ("unknown_parent", 3),
        ("unknown_reference", 4), ("missing_script", 5), ("left_out", 6), ("unknown_job", 6),
        ("left_out", 7),
    ]  # fmt: skip


def test_an_unread_file_excuses_no_other_mistake() -> None:
    files = Files({"top.yml": "include: {template: X.yml}\njob: {scripts: a}\n"})
    config, problems = check("top.yml", files, {})
    assert config is None
    assert [problem.code for problem in problems if not problem.warning] == ["unknown_keyword"]


def test_variables_and_changes_reach_the_includes() -> None:
    files = Files(
        {
            "top.yml": "include: [{local: $A.yml, rules: [{changes: [x]}]}]\njob: {script: a}\n",
            "b.yml": "more: {script: b}\n",
        }
    )
    assert list(load("top.yml", files, {"A": "b"}, changed=lambda _: ["x"]).jobs) == ["more", "job"]
    assert list(load("top.yml", files, {"A": "b"}, changed=lambda _: []).jobs) == ["job"]


def test_what_takes_an_input_is_left_out() -> None:
    text = """\
        spec: {inputs: {stage: {default: test}}}
        ---
        default: {interruptible: "$[[ inputs.flag ]]"}
        a: {stage: "$[[inputs.stage]]", script: x}
        $[[ inputs.name ]]-b: {script: x}
        .c: {script: [x, "$[[ inputs.flag ]]"]}
        d: {extends: .c}
        e:
          script: x
          parallel: &both {matrix: [{X: [y, z]}]}
        f:
          script: x
          parallel: *both
          needs: [{job: e, parallel: {matrix: [{X: "$[[ matrix.X ]]"}]}}]
        include: [{local: "$[[ inputs.file ]].yml"}]
        """
    config = load("top.yml", Files({"top.yml": dedent(text)}), {})
    assert list(config.jobs) == ["e", "f"]
    assert [(w.code, w.at.line) for w in config.warnings] == [
        ("inputs_not_filled_in", 1), ("left_out", 3), ("left_out", 4), ("left_out", 5),
        ("left_out", 7), ("include_not_read", 15),
    ]  # fmt: skip
