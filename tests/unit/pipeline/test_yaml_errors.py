import pytest
import yaml

from tracekeeper.pipeline.yaml_errors import explain_bad_utf8, explain_syntax_error
from tracekeeper.problems import Position, Problem


def explained(text: str) -> Problem:
    with pytest.raises(yaml.YAMLError) as caught:
        yaml.compose(text, yaml.CSafeLoader)
    return explain_syntax_error(caught.value, text, "ci.yml")


@pytest.mark.parametrize(
    ("text", "line", "column", "message", "hint"),
    [
        ("a: b: c", 1, 5, "a `:` cannot stand here", "quotes"),
        ("a:\n\t- b", 2, 1, "a tab cannot indent YAML", "spaces"),
        ("a: @x", 1, 4, "text cannot begin with `@`", "quotes"),
        ("a: *.txt", 1, 4, "a name must follow `*` or `&`", "quotes"),
        ('a:\n  - "x\nb: 1', 2, 5, "this quote is never closed", "close it"),
        ("a: [1\nb: 2", 2, 2, "this list in `[ ]` goes on wrongly", "[a, b]"),
        ("a: {x: 1\nb: 2", 2, 2, "this mapping in `{ }` goes on wrongly", "{a: b}"),
        ('a: "\\d"', 1, 5, "there is no such escape in double quotes", "single quotes"),
        ("a: [\n", 2, 1, "a value was expected here", "close every `[`"),
        ("a: [b, ], c", 1, 9, "a key was expected here", "quotes"),
        ("a: 1\nb\nc: 1", 2, 1, "this key has no `:`", "indent"),
        ("a: 1\nb", 2, 1, "this key has no `:`", "key: value"),
        ("a:\n  - x\n y: 1", 3, 2, "a key was expected here", "neighbours"),
        ("- a\nb: 1", 2, 1, "a list item was expected here", "- "),
        ("a: - b", 1, 4, "a list item cannot stand here", "line of its own"),
        ("a: !e!x y", 1, 4, "this `!` tag is unknown", "quotes"),
        ("a: >-3x\n  f", 1, 7, "this is not YAML: ", "indentation"),
        ("a: x\x07", 1, 5, "the control character U+0007 cannot stand in YAML", "remove"),
        ("a: 1\nb: \0", 2, 4, "a NUL byte cannot stand in YAML", "remove"),
    ],
)
def test_says_where_what_and_what_to_do(
    text: str, line: int, column: int, message: str, hint: str
) -> None:
    problem = explained(text)
    assert problem.at == Position("ci.yml", line, column)
    assert problem.message.startswith(message)
    assert hint in problem.hint


def test_names_the_line_where_the_broken_thing_begins() -> None:
    assert explained("a: [1,\n  2\nb: 3").message.endswith("begins at line 1")


def test_the_end_of_the_file_has_no_character() -> None:
    error = yaml.MarkedYAMLError(
        problem="found character that cannot start any token",
        problem_mark=yaml.Mark("", 0, 7, 0, "", 0),
    )
    assert explain_syntax_error(error, "a", "ci.yml").message == "text cannot begin with ``"


@pytest.mark.parametrize(
    ("content", "line", "column"),
    [(b"\xff", 1, 1), ("ä: \n ü".encode() + b"\xfc", 2, 3), (b"\xef\xbb\xbfab\x80", 1, 3)],
)
def test_bytes_that_are_not_utf8(content: bytes, line: int, column: int) -> None:
    with pytest.raises(UnicodeDecodeError) as caught:
        content.decode("utf-8-sig")
    problem = explain_bad_utf8(caught.value, "ci.yml")
    assert problem.at == Position("ci.yml", line, column)
    assert "UTF-8" in problem.hint
