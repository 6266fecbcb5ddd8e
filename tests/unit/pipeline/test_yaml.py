import importlib.util
import math
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tracekeeper.pipeline import yaml as subject
from tracekeeper.pipeline.limits import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_FILE_ERRORS,
    MAX_FILE_NODES,
)
from tracekeeper.pipeline.node import Mapping, Node, Reference, Scalar, Sequence
from tracekeeper.pipeline.yaml import parse
from tracekeeper.problems import Position, Problem

Parse = Callable[[bytes, str, list[Problem]], Node | None]


@pytest.fixture(params=["C", "Python"])
def any_parse(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Parse]:
    """`parse` over PyYAML's C extension, and as it is where that is missing."""
    if request.param == "C":
        yield parse
        return
    monkeypatch.setitem(sys.modules, "yaml._yaml", None)
    spec = importlib.util.spec_from_file_location("yaml_without_c", subject.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module.parse


def plain(node: Node) -> Any:
    """The node as plain Python values."""
    match node:
        case Mapping():
            return {entry.key: plain(entry.value) for entry in node}
        case Sequence():
            return [plain(item) for item in node.items]
        case Reference():
            return ("!reference", *node.path)
        case Scalar():
            return node.value


def parsed(text: str, *codes: str, parse: Parse = parse) -> Any:
    """The values of `text`, whose problems have exactly these codes."""
    problems: list[Problem] = []
    node = parse(text.encode(), "ci.yml", problems)
    assert [problem.code for problem in problems] == list(codes)
    return None if node is None else plain(node)


def only_problem(text: str | bytes, parse: Parse = parse) -> Problem:
    problems: list[Problem] = []
    parse(text if isinstance(text, bytes) else text.encode(), "ci.yml", problems)
    assert len(problems) == 1
    return problems[0]


def at(line: int, column: int) -> Position:
    return Position("ci.yml", line, column)


def test_builds_every_kind_of_node(any_parse: Parse) -> None:
    text = 'a: [1, "2", {b: yes}]\nc: !reference [.d, script]\ne:\n  - |\n    x\n    y\n'
    assert parsed(text, parse=any_parse) == {
        "a": [1, "2", {"b": True}],
        "c": ("!reference", ".d", "script"),
        "e": ["x\ny\n"],
    }


def test_every_node_knows_its_place(any_parse: Parse) -> None:
    document = any_parse("ä: x\nkey:\n  - täxt: 0755\n".encode(), "ci.yml", [])
    assert isinstance(document, Mapping)
    assert document.at == at(1, 1)
    assert document.entries["key"].at == at(2, 1)
    items = document.get("key")
    assert isinstance(items, Sequence)
    assert items.at == at(3, 3)
    inner = items.items[0]
    assert isinstance(inner, Mapping)
    assert inner.get("täxt") == Scalar(493, "0755", at(3, 11))


def test_a_byte_order_mark_is_no_content() -> None:
    assert parsed("\ufeffa: 1") == {"a": 1}


def test_keys_are_text(any_parse: Parse) -> None:
    assert parsed("x:\n  1: a\n  on: b\n  ~: c\n", parse=any_parse)["x"] == {
        "1": "a",
        "on": "b",
        "~": "c",
    }


def test_standard_tags() -> None:
    text = "a: !!str 12\nb: !!int '12'\nd: !!map {}\ne: !!seq []\nf: !!null x"
    assert parsed(text) == {"a": "12", "b": 12, "d": {}, "e": [], "f": "x"}


@pytest.mark.parametrize("value", ["!foo x", "!foo [x]", "!foo {x: y}", "!!binary eA=="])
def test_an_unknown_tag_is_an_error(value: str) -> None:
    problem = only_problem(f"a: {value}")
    assert (problem.code, problem.at, problem.warning) == ("unknown_tag", at(1, 4), False)
    assert "quotes" in problem.hint


def test_an_unknown_tag_names_the_one_that_was_meant() -> None:
    assert only_problem("a: !refrence [x]").hint == "did you mean `!reference`?"


@pytest.mark.parametrize("value", ["x", "{x: y}"])
def test_a_reference_must_be_a_list(value: str) -> None:
    problem = only_problem(f"a: !reference {value}")
    assert problem.code == "unknown_tag"
    assert problem.hint == "write `!reference [job, keyword]`"


@pytest.mark.parametrize("path", ["", "1", "x, [y]", "x, null"])
def test_a_reference_holds_names_only(path: str) -> None:
    assert only_problem(f"a: !reference [{path}]").code == "bad_reference"


# Anchors, aliases and merge keys


def test_an_alias_stands_for_its_anchor(any_parse: Parse) -> None:
    assert parsed("a: &x [1]\nb: *x\n? &k key\n: *k\n", parse=any_parse) == {
        "a": [1], "b": [1], "key": "key",
    }  # fmt: skip


def test_an_alias_may_be_a_key() -> None:
    assert parsed("a: &x key\n*x : 1\n") == {"a": "key", "key": 1}


def test_an_unknown_anchor_is_named_with_the_nearest() -> None:
    problem = only_problem("a: &defaults 1\nb: *default\n")
    assert (problem.code, problem.at) == ("unknown_anchor", at(2, 4))
    assert problem.hint == "did you mean `defaults`?"
    assert only_problem("b: *x").hint == "an anchor stands above its aliases"


@pytest.mark.parametrize("name", ["on", "no", "1", "1.5", "~", "0x1f"])
def test_a_name_that_yaml_does_not_read_as_text(name: str) -> None:
    problem = only_problem(f"{name}: {{script: x}}\n")
    assert (problem.code, problem.at, problem.hint) == ("bad_key", at(1, 1), f'write "{name}"')
    assert parsed(f'"{name}": x') == {name: "x"}
    assert parsed(f"a: {{{name}: x}}") == {"a": {name: "x"}}


def test_anchors_end_with_their_document() -> None:
    parsed("spec: &x 1\n---\na: *x\n", "unknown_anchor", "inputs_not_filled_in")


def test_an_alias_inside_its_own_anchor_is_an_error() -> None:
    problem = only_problem("a: &x [1, *x]")
    assert (problem.code, problem.at) == ("recursive_alias", at(1, 11))


def test_keys_below_a_merge_win(any_parse: Parse) -> None:
    text = "a: &a {x: 1, y: 1}\nb:\n  <<: *a\n  y: 2\n"
    assert parsed(text, parse=any_parse)["b"] == {"x": 1, "y": 2}


def test_of_several_merged_mappings_the_first_wins() -> None:
    text = "a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc:\n  <<: [*a, *b]\n"
    assert parsed(text)["c"] == {"x": 1, "y": 2}


def test_a_merge_replaces_keys_above_it_as_in_gitlab_and_says_so() -> None:
    text = "a: &a {x: 1, y: 1}\nb:\n  x: 2\n  <<: *a\n"
    assert parsed(text, "replaced_by_merge")["b"] == {"x": 1, "y": 1}
    problem = only_problem(text)
    assert problem.warning
    assert problem.at == at(3, 3)
    assert "ci.yml:4:3" in problem.message


def test_two_merges_and_a_key_between_them() -> None:
    text = "a: &a {x: 1}\nb: &b {x: 2}\nc: {<<: *a, <<: *b}\nd: {<<: *a, x: 3, x: 4}\n"
    assert parsed(text, "duplicate_key") == {
        "a": {"x": 1}, "b": {"x": 2}, "c": {"x": 2}, "d": {"x": 4},
    }  # fmt: skip


@pytest.mark.parametrize("value", ["1", "[1]", "!reference [x]"])
def test_only_mappings_can_be_merged(value: str) -> None:
    problem = only_problem(f"b:\n  <<: {value}\n")
    assert (problem.code, problem.at) == ("bad_merge", at(2, 3))


def test_a_quoted_merge_sign_is_a_key() -> None:
    assert parsed('"<<": {a: 1}') == {"<<": {"a": 1}}


# What is accepted with a warning


def test_a_duplicate_key_is_named_with_both_places(any_parse: Parse) -> None:
    assert parsed("a: 1\nb: 2\na: 3\n", "duplicate_key", parse=any_parse) == {"a": 3, "b": 2}
    problem = only_problem("a: 1\nb: 2\na: 3\n")
    assert (problem.at, problem.warning) == (at(3, 1), True)
    assert "ci.yml:1:1" in problem.hint


def test_an_unquoted_date_is_text_with_a_warning() -> None:
    assert parsed("a: 2024-01-31\nb: '2024-01-31'", "unquoted_date") == {
        "a": "2024-01-31", "b": "2024-01-31",
    }  # fmt: skip


def test_a_header_is_not_acted_on(any_parse: Parse) -> None:
    text = "spec:\n  inputs: {a: }\n---\njob: 1\n"
    assert parsed(text, "inputs_not_filled_in", parse=any_parse) == {"job": 1}
    assert only_problem(text).at == at(1, 1)


def test_further_documents_are_ignored() -> None:
    assert parsed("a: 1\n---\nb: 1\n", "ignored_document") == {"a": 1}
    assert parsed("spec: {}\n---\nb: 1\n---\nc: 1", "inputs_not_filled_in", "ignored_document") == {
        "b": 1
    }


def test_a_document_mark_alone_is_no_document() -> None:
    assert parsed("---\n# nothing\n---\na: 1\n...\n") == {"a": 1}


# Bad input


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "\ufeff"])
def test_an_empty_file(any_parse: Parse, text: str) -> None:
    assert only_problem(text, any_parse).code == "empty_file"


def test_a_collection_cannot_be_a_key(any_parse: Parse) -> None:
    assert parsed("? [a]\n: 1\nb: 2\n", "bad_key", parse=any_parse) == {"b": 2}


def test_bytes_that_are_not_text() -> None:
    assert only_problem(b"a: \xff").code == "not_utf8"


@pytest.mark.parametrize("character", ["\0", "\x07"])
def test_control_characters(any_parse: Parse, character: str) -> None:
    problem = only_problem(f"a: 1\nb: x{character}", any_parse)
    assert (problem.code, problem.at) == ("control_character", at(2, 5))


def test_a_syntax_error(any_parse: Parse) -> None:
    problem = only_problem("a:\n\t- b", any_parse)
    assert (problem.code, problem.at) == ("syntax", at(2, 1))


def test_a_file_that_is_too_large_is_refused_unread() -> None:
    problem = only_problem(b"\0" * (MAX_BYTES + 1))
    assert problem.code == "too_large"
    assert str(MAX_BYTES + 1) in problem.message


@pytest.mark.parametrize("open_", ["[", "{a: ", "- ", "? "])
def test_bottomless_nesting_is_refused(any_parse: Parse, open_: str) -> None:
    assert only_problem(open_ * 50_000, any_parse).code == "too_deep"


def test_the_deepest_nesting_that_is_allowed() -> None:
    text = "[" * (MAX_DEPTH - 1) + "x" + "]" * (MAX_DEPTH - 1)
    parsed(text)
    parsed(f"[{text}]", "too_deep")


def test_aliases_count_towards_the_depth() -> None:
    half = MAX_DEPTH // 2 - 1
    nested = "[" * half + "x" + "]" * half
    deeper = "[" * half + "*a" + "]" * half
    parsed(f"a: &a {nested}\nb: &b {deeper}\n")
    parsed(f"a: &a {nested}\nb: &b {deeper}\nc: [[[*b]]]\n", "too_deep")


def test_the_depth_of_an_anchor_is_that_of_its_deepest_part() -> None:
    half = MAX_DEPTH // 2
    nested = "[" * half + "x" + "]" * half
    deeper = "[" * half + "*a" + "]" * half
    parsed(f"a: &a [{nested}, &b y]\nc: {deeper}\n", "too_deep")
    parsed(f"a: &a [&b {nested}]\nc: {deeper}\n", "too_deep")


def test_an_alias_counts_as_all_that_it_stands_for(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: &a [1, 2]\nb: *a\nc: [*a]\n"
    monkeypatch.setattr(subject, "MAX_FILE_NODES", 11)
    parsed(text)
    monkeypatch.setattr(subject, "MAX_FILE_NODES", 10)
    parsed(text, "too_large")


def test_a_billion_laughs_are_refused(any_parse: Parse) -> None:
    levels = ["l0: &l0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert only_problem("\n".join(levels), any_parse).code == "too_large"


def test_as_many_nodes_as_are_allowed() -> None:
    items = MAX_FILE_NODES - 1
    parsed("[" + "1," * items + "]")
    parsed("[" + "1," * (items + 1) + "]", "too_large")


def test_errors_without_end_end() -> None:
    problems: list[Problem] = []
    assert parse(b"[" + b"*x," * 10_000 + b"]", "ci.yml", problems) is None
    assert len(problems) == MAX_FILE_ERRORS + 1
    assert problems[-1].code == "too_many_errors"


# Properties

_words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Co", "Cn"]))


def _psych_agrees(text: str) -> bool:
    """Whether Psych and PyYAML take an unquoted `text` for the same thing."""
    return (
        not text[:1].isdigit() and text[:1] not in tuple("+-.") and text.lower() not in _ODD_WORDS
    )


_ODD_WORDS = {"yes", "no", "on", "off", "true", "false", "null"}
_scalars = (
    st.none() | st.booleans() | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False) | _words.filter(_psych_agrees)
)  # fmt: skip
_values = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(_words.filter(lambda key: key != "<<"), inner, max_size=4)
    ),
    max_leaves=25,
)


@given(_values.filter(lambda value: value is not None), st.booleans())
def test_reads_what_pyyaml_writes(value: Any, flow: bool) -> None:
    text = yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True)
    problems: list[Problem] = []
    node = parse(text.encode(), "ci.yml", problems)
    assert problems == []
    assert node is not None
    assert plain(node) == yaml.safe_load(text) == value


_small = st.dictionaries(st.sampled_from("abc"), st.integers(0, 9), max_size=3)


@given(st.lists(_small, min_size=1, max_size=3), _small)
def test_merges_like_pyyaml_where_the_merge_comes_first(
    bases: list[dict[str, int]], own: dict[str, int]
) -> None:
    anchors = [f"b{n}: &b{n} {base}" for n, base in enumerate(bases)]
    merge = "  <<: [" + ", ".join(f"*b{n}" for n in range(len(bases))) + "]"
    text = "\n".join([*anchors, "job:", merge, *[f"  {k}: {v}" for k, v in own.items()]])
    text = text.replace("'", "")
    assert parsed(text) == yaml.safe_load(text)


@settings(max_examples=300)
@example(b"&a [*a, <<: 1, ? {}: !x]")
@given(st.binary() | st.text("abc:-?[]{},&*!|>'\"%@`#\t\n 1.~<=").map(str.encode))
def test_no_input_makes_it_fail(text: bytes) -> None:
    problems: list[Problem] = []
    if parse(text, "ci.yml", problems) is None:
        assert any(not problem.warning for problem in problems)


def test_infinity_and_nan_survive() -> None:
    value = parsed("[.inf, -.inf, .nan]")
    assert value[:2] == [math.inf, -math.inf]
    assert math.isnan(value[2])
