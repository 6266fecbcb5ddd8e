from collections.abc import Sequence
from typing import Any

from tracekeeper.pipeline.include import include, unknown_changes
from tracekeeper.pipeline.limits import MAX_INCLUDES
from tracekeeper.pipeline.node import Mapping, Node, Scalar
from tracekeeper.pipeline.node import Sequence as List
from tracekeeper.problems import Position, Problem


class Files:
    """A project in memory."""

    def __init__(self, files: dict[str, str]) -> None:
        self.files = files
        self.reads: list[str] = []

    def read(self, path: str) -> bytes | None:
        self.reads.append(path)
        content = self.files.get(path)
        return None if content is None else content.encode()

    def paths(self) -> Sequence[str]:
        return sorted(self.files)


def plain(node: Node) -> Any:
    match node:
        case Mapping():
            return {entry.key: plain(entry.value) for entry in node}
        case List():
            return [plain(item) for item in node.items]
        case Scalar():
            return node.value
    raise AssertionError(node)


def included(files: dict[str, str], **values: str) -> tuple[Any, list[Problem]]:
    problems: list[Problem] = []
    document = include("top.yml", Files(files), values, problems)
    return None if document is None else plain(document), problems


def at(file: str, line: int, column: int) -> Position:
    return Position(file, line, column)


def test_later_files_override_earlier_ones_and_the_including_file_all() -> None:
    result, problems = included(
        {
            "top.yml": "include: [a.yml, b.yml]\nv: {Z: top}\njob: {script: [top]}\n",
            "a.yml": "v: {X: a, Y: a, Z: a}\njob: {script: [a], image: a}\nlist: [1, 2]\n",
            "b.yml": "v: {Y: b, Z: b}\nlist: [3]\n",
        }
    )
    assert problems == []
    assert result == {
        "v": {"X": "a", "Y": "b", "Z": "top"},
        "job": {"script": ["top"], "image": "a"},
        "list": [3],
    }
    assert list(result) == ["v", "job", "list"]


def test_includes_nest_and_paths_begin_at_the_root_of_the_project() -> None:
    result, problems = included({
        "top.yml": "include: dir/a.yml\ntop: 1\n",
        "dir/a.yml": "include: dir/$NAME.yml\na: 1\nb: a\n",
        "dir/b.yml": "b: 1\nc: 1\n",
    }, NAME="b")  # fmt: skip
    assert problems == []
    assert result == {"b": "a", "c": 1, "a": 1, "top": 1}


def test_a_file_included_by_several_is_read_once_and_its_problems_said_once() -> None:
    files = Files(
        {
            "top.yml": "include: [a.yml, b.yml]\n",
            "a.yml": "include: c.yml\nx: a\n",
            "b.yml": "include: c.yml\ny: b\n",
            "c.yml": "x: c\ny: c\ny: d\n",
        }
    )
    problems: list[Problem] = []
    document = include("top.yml", files, {}, problems)
    assert document is not None
    assert plain(document) == {"x": "c", "y": "b"}
    assert files.reads == ["top.yml", "a.yml", "b.yml", "c.yml"]
    assert [problem.code for problem in problems] == ["duplicate_key"]


def test_a_circle_is_named_in_full() -> None:
    result, problems = included(
        {
            "top.yml": "include: a.yml\nx: 1\n",
            "a.yml": "include: b.yml\n",
            "b.yml": "a: 1\ninclude: [a.yml]\n",
        }
    )
    assert [(p.code, p.at) for p in problems] == [("include_cycle", at("b.yml", 2, 11))]
    assert "a.yml → b.yml → a.yml" in problems[0].message
    assert result == {"a": 1, "x": 1}


def test_a_wildcard_that_matches_its_own_file() -> None:
    _, problems = included({"top.yml": "include: '*.yml'"})
    assert "top.yml → top.yml" in problems[0].message


def test_a_missing_file_is_named_with_the_nearest() -> None:
    result, problems = included(
        {
            "top.yml": "include:\n  - tset.yml\n  - elsewhere/deploy.yml\na: 1\n",
            "test.yml": "",
            "zzz": "",
        }
    )
    assert [(p.code, p.at) for p in problems] == [
        ("missing_file", at("top.yml", 2, 5)),
        ("missing_file", at("top.yml", 3, 5)),
    ]
    assert [p.hint for p in problems] == ["did you mean `test.yml`?", ""]
    assert result == {"a": 1}


def test_a_file_that_is_there_but_cannot_be_read() -> None:
    class Unreadable(Files):
        def read(self, path: str) -> bytes | None:
            return None if path == "link.yml" else super().read(path)

    problems: list[Problem] = []
    files = Unreadable({"top.yml": "include: link.yml\n", "link.yml": ""})
    include("top.yml", files, {}, problems)
    assert [problem.message for problem in problems] == [
        "`link.yml` cannot be read as a file of this project"
    ]


def test_no_pipeline_file_at_all() -> None:
    result, problems = included({})
    assert result is None
    assert [(p.code, p.at) for p in problems] == [("missing_file", at("top.yml", 1, 1))]


def test_a_broken_file_is_reported_and_the_others_go_on() -> None:
    result, problems = included(
        {
            "top.yml": "include: [a.yml, b.yml, c.yml, d.yml]\n",
            "a.yml": "[1]",
            "b.yml": "a: b: c",
            "c.yml": "",
            "d.yml": "x: 1",
        }
    )
    assert [(p.code, p.at.file) for p in problems] == [
        ("not_a_mapping", "a.yml"), ("syntax", "b.yml"), ("empty_file", "c.yml"),
    ]  # fmt: skip
    assert result == {"x": 1}


def test_a_pipeline_file_that_is_no_mapping() -> None:
    result, problems = included({"top.yml": "just text"})
    assert result is None
    assert [problem.code for problem in problems] == ["not_a_mapping"]


def nested(depth: int) -> dict[str, str]:
    files = {f"{n}.yml": f"include: {n + 1}.yml\nk{n}: 1" for n in range(1, depth)}
    return {"top.yml": "include: 1.yml", **files, f"{depth}.yml": "last: 1"}


def test_as_many_files_as_are_allowed_however_deep() -> None:
    result, problems = included(nested(MAX_INCLUDES))
    assert problems == []
    assert result["last"] == 1


def test_too_many_files() -> None:
    result, problems = included(nested(MAX_INCLUDES + 1))
    assert [(p.code, p.at.file) for p in problems] == [("too_many_includes", "150.yml")]
    assert "last" not in result


def test_nobody_knows_what_has_changed() -> None:
    assert unknown_changes("") is None  # type: ignore[func-returns-value]
    rule = "rules: [{changes: [x]}]"
    result, _ = included({"top.yml": f"include: [{{local: a.yml, {rule}}}]", "a.yml": "a: 1"})
    assert result == {"a": 1}
