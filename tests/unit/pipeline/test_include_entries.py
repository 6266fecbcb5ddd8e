from collections.abc import Sequence

import pytest

from tracekeeper.pipeline.include_entries import IncludeReader, Location
from tracekeeper.pipeline.node import Mapping
from tracekeeper.pipeline.yaml import parse
from tracekeeper.problems import Position, Problem

PATHS = (".gitlab-ci.yml", "README.md", "ci/a.yml", "ci/b.yaml", "ci/deep/c.yml", "src/main.py")


class Files:
    def read(self, path: str) -> bytes | None:
        raise AssertionError(path)

    def paths(self) -> Sequence[str]:
        return PATHS


def read(
    include: str, changed: Sequence[str] | None = (), **values: str
) -> tuple[list[Location], list[Problem]]:
    """What `include` (YAML) names; every changed path is asked for against `values["REF"]`."""

    def changes(compare_to: str) -> Sequence[str] | None:
        assert compare_to == values.get("REF", "")
        return changed

    document = parse(f"include: {include}".encode(), "ci.yml", [])
    assert isinstance(document, Mapping)
    value = document.get("include")
    assert value is not None
    problems: list[Problem] = []
    return IncludeReader(Files(), values, changes, problems).read(value), problems


def paths(include: str, changed: Sequence[str] | None = (), **values: str) -> list[str]:
    """The paths that `include` names without any problem."""
    locations, problems = read(include, changed, **values)
    assert problems == []
    return [location.path for location in locations]


def problem(include: str, **values: str) -> Problem:
    """The only problem with `include`, which then names nothing."""
    locations, problems = read(include, **values)
    assert locations == []
    assert len(problems) == 1
    return problems[0]


@pytest.mark.parametrize(
    "include",
    ["ci/a.yml", "/ci/a.yml", "[ci/a.yml]", "{local: ci/a.yml}", "[{local: ./ci//a.yml}]",
     "$DIR/a.yml", "[{local: '/${DIR}/a.yml'}]"],
)  # fmt: skip
def test_a_local_file_in_any_form(include: str) -> None:
    assert paths(include, DIR="ci") == ["ci/a.yml"]


def test_several_keep_their_order_and_their_places() -> None:
    locations, _ = read("[z.yml, {local: a.yaml}]")
    assert locations == [
        Location("z.yml", Position("ci.yml", 1, 11)),
        Location("a.yaml", Position("ci.yml", 1, 26)),
    ]


@pytest.mark.parametrize("include", ["", "[]", "[null]"])
def test_nothing_is_included(include: str) -> None:
    assert paths(include) == []


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("ci/*.yml", ["ci/a.yml"]),
        ("/ci/*.y*ml", ["ci/a.yml", "ci/b.yaml"]),
        ("ci/**.yml", ["ci/a.yml", "ci/deep/c.yml"]),
        ("ci/**/*.yml", ["ci/deep/c.yml"]),
        ("*.yml", [".gitlab-ci.yml"]),
    ],
)
def test_wildcards(pattern: str, expected: list[str]) -> None:
    assert paths(f"'{pattern}'") == expected
    assert paths(f"{{local: '{pattern}'}}") == expected


def test_a_wildcard_that_matches_nothing_is_a_warning() -> None:
    found = problem("'ci/x*.yml'")
    assert (found.code, found.warning) == ("include_nothing", True)


def test_a_path_cannot_leave_the_project() -> None:
    found = problem("{local: ci/../../x.yml}")
    assert (found.code, found.warning) == ("outside_project", False)
    assert found.at == Position("ci.yml", 1, 18)


@pytest.mark.parametrize("include", ["README.md", "'README*'"])
def test_an_included_file_looks_like_yaml(include: str) -> None:
    assert problem(include).code == "include_extension"


@pytest.mark.parametrize(
    ("include", "named"),
    [
        ("https://example.com/a.yml", "https://example.com/a.yml"),
        ("$URL", "http://example.com/a.yml"),
        ("{remote: 'https://example.com/a.yml', integrity: x}", "include: remote"),
        ("{template: Auto.yml}", "include: template"),
        ("{local: 'ci/$[[ inputs.kind ]].yml'}", "include: ci/$[[ inputs.kind ]].yml"),
        ("{project: a/b, file: [x.yml], ref: main}", "include: project"),
        ("{component: example.com/a/b@1, inputs: {a: b}}", "include: component"),
        ("{artifact: a.yml, job: b}", "include: artifact"),
    ],
)
def test_what_is_elsewhere_is_named_in_a_warning(include: str, named: str) -> None:
    found = problem(include, URL="http://example.com/a.yml")
    assert (found.code, found.warning) == ("include_not_read", True)
    assert named in found.message


def test_what_is_elsewhere_and_ruled_out_is_not_named() -> None:
    assert paths("{template: Auto.yml, rules: [{when: never}]}") == []


def test_inputs_are_named_in_a_warning() -> None:
    locations, problems = read("{local: ci/a.yml, inputs: {a: b}}")
    assert [location.path for location in locations] == ["ci/a.yml"]
    assert [(p.code, p.warning) for p in problems] == [("not_acted_on", True)]


@pytest.mark.parametrize(
    "include",
    ["1", "[[a.yml]]", "!reference [a, b]", "{}", "{local: a.yml, remote: b.yml}", "{rules: []}",
     "{local: }", "{local: [a.yml]}", "{local: 1}"],
)  # fmt: skip
def test_what_is_no_include(include: str) -> None:
    found = problem(include)
    assert (found.code, found.warning) == ("bad_include", False)


def test_an_unknown_keyword_is_named_with_the_nearest() -> None:
    _, problems = read("{local: ci/a.yml, rulse: [], zzz: 1}")
    assert [p.code for p in problems] == ["unknown_keyword", "unknown_keyword"]
    assert problems[0].hint == "did you mean `rules`?"
    assert "known are local, " in problems[1].hint


# rules


def ruled(rules: str) -> str:
    return f"{{local: ci/a.yml, rules: {rules}}}"


@pytest.mark.parametrize(
    ("rules", "included"),
    [
        ("[]", False),
        ("[{}]", True),
        ("[{when: never}]", False),
        ("[{when: always}]", True),
        ("[{if: '$A == \"1\"'}]", True),
        ("[{if: '$A == \"2\"'}]", False),
        ("[{if: '$A == \"2\"', when: never}, {when: always}]", True),
        ("[{if: '$A', when: never}, {when: always}]", False),
        ("[{exists: [README.md]}]", True),
        ("[{exists: ['*.py']}]", False),
        ("[{exists: ['$DIR/*.py', 'none']}]", True),
        ("[{exists: {paths: [README.md]}}]", True),
        ("[{if: '$A', exists: [none]}]", False),
        ("[{changes: ['docs/*']}]", True),
        ("[{changes: ['src/*']}]", False),
        ("[{changes: {paths: ['docs/*']}}]", True),
        ("{if: '$A'}", True),
    ],
)
def test_rules(rules: str, included: bool) -> None:
    expected = ["ci/a.yml"] if included else []
    assert paths(ruled(rules), changed=["docs/x.md"], A="1", DIR="src") == expected


def test_changes_may_name_what_to_compare_with() -> None:
    rules = "[{changes: {paths: ['docs/*'], compare_to: $REF}}]"
    assert paths(ruled(rules), changed=["docs/x.md"], REF="main") == ["ci/a.yml"]


def test_unknown_changes_count_as_changes() -> None:
    assert paths(ruled("[{changes: [x]}]"), changed=None) == ["ci/a.yml"]


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ("[x]", "bad_include_rule"),
        ("[{when: manual}]", "bad_include_rule"),
        ("[{when: [always]}]", "bad_include_rule"),
        ("[{if: [x]}]", "bad_include_rule"),
        ("[{if: '$A =='}]", "bad_expression"),
        ("[{exists: x}]", "bad_include_rule"),
        ("[{exists: [[x]]}]", "bad_include_rule"),
        ("[{exists: {path: [x]}}]", "bad_include_rule"),
        ("[{changes: []}]", "bad_include_rule"),
        (f"[{{exists: ['{'x' * 5000}']}}]", "bad_include_rule"),
        ("[{exists: {paths: [x], project: y}}]", "not_acted_on"),
    ],
)
def test_what_is_no_rule(rules: str, code: str) -> None:
    assert problem(ruled(rules)).code == code


def test_an_unknown_keyword_in_a_rule() -> None:
    _, problems = read(ruled("[{exist: [x]}]"))
    assert [(p.code, p.hint) for p in problems] == [("unknown_keyword", "did you mean `exists`?")]
