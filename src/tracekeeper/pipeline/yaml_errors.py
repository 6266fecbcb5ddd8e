"""What a YAML parser complains about, said for a person: where, what is wrong, what to do."""

import re
from typing import NamedTuple

from yaml import Mark, MarkedYAMLError, YAMLError
from yaml.reader import ReaderError

from tracekeeper.problems import Position, Problem


class _Explanation(NamedTuple):
    """`needle` is a part of the parser's own message; `message` and `hint` replace it.

    With `at_start` the place to name is where the broken thing begins, not where it was noticed.
    """

    needle: str
    message: str
    hint: str
    at_start: bool = False


_EXPLANATIONS = (
    _Explanation(
        "mapping values are not allowed",
        "a `:` cannot stand here",
        "put text that holds `: ` in quotes, or check the indentation",
    ),
    _Explanation(
        "could not find expected ':'",
        "this key has no `:`",
        "write `key: value`, and indent continued text more than its key",
        at_start=True,
    ),
    _Explanation(
        "did not find expected key",
        "a key was expected here",
        "indent it like its neighbours, and put text with quotes in it in quotes as a whole",
    ),
    _Explanation(
        "did not find expected '-' indicator",
        "a list item was expected here",
        "begin each item with `- `, all indented alike",
    ),
    _Explanation("expected ',' or ']'", "this list in `[ ]` goes on wrongly", "write `[a, b]`"),
    _Explanation("expected ',' or '}'", "this mapping in `{ }` goes on wrongly", "write `{a: b}`"),
    _Explanation(
        "did not find expected node content",
        "a value was expected here",
        "close every `[` and `{`, and put text that begins with one in quotes",
    ),
    _Explanation(
        "unknown escape character",
        "there is no such escape in double quotes",
        "write `\\\\` for a backslash, or use single quotes",
    ),
    _Explanation(
        "alphabetic or numeric character",
        "a name must follow `*` or `&`",
        "put text that begins with `*` or `&` in quotes",
        at_start=True,
    ),
    _Explanation(
        "block sequence entries are not allowed",
        "a list item cannot stand here",
        "begin the list on a line of its own",
    ),
    _Explanation(
        "found unexpected end of stream", "this quote is never closed", "close it", at_start=True
    ),
    _Explanation("cannot start any token", "a tab cannot indent YAML", "indent with spaces"),
    _Explanation(
        "undefined tag handle", "this `!` tag is unknown", "put text that begins with `!` in quotes"
    ),
)


def explain_bad_utf8(error: UnicodeDecodeError, file: str) -> Problem:
    """The problem with bytes that are not UTF-8; `error` holds them."""
    before = error.object[: error.start].decode("utf-8-sig")
    byte = error.object[error.start]
    message = f"the byte 0x{byte:02x} is not valid UTF-8"
    return Problem("not_utf8", message, _position(file, before), "save the file as UTF-8")


def explain_syntax_error(error: YAMLError, source: str, file: str) -> Problem:
    """The problem with `source`, the content of `file`, on which the parser gave up."""
    if isinstance(error, ReaderError):
        return _control_character(source, file)
    assert isinstance(error, MarkedYAMLError)
    assert error.problem_mark is not None
    noticed = _position_of(error.problem_mark, file)
    begun = _position_of(error.context_mark, file) if error.context_mark else noticed
    known = _explanation(error.problem or "", _character(source, noticed))
    if known.at_start:
        return Problem("syntax", known.message, begun, known.hint)
    since = (
        "" if begun.line == noticed.line else f"; what it belongs to begins at line {begun.line}"
    )
    return Problem("syntax", known.message + since, noticed, known.hint)


def _explanation(said: str, character: str) -> _Explanation:
    if "cannot start any token" in said and character != "\t":
        return _Explanation(said, f"text cannot begin with `{character}`", "put it in quotes")
    for known in _EXPLANATIONS:
        if known.needle in said:
            return known
    return _Explanation(said, f"this is not YAML: {said}", "check the indentation and the quotes")


def _position_of(mark: Mark, file: str) -> Position:
    return Position(file, mark.line + 1, mark.column + 1)


def _character(source: str, at: Position) -> str:
    lines = source.splitlines()
    line = lines[at.line - 1] if at.line <= len(lines) else ""
    return line[at.column - 1 : at.column]


def _control_character(source: str, file: str) -> Problem:
    unprintable = "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
    match = re.search(unprintable, source)
    assert match is not None
    code = ord(match.group())
    name = "a NUL byte" if code == 0 else f"the control character U+{code:04X}"
    at = _position(file, source[: match.start()])
    return Problem("control_character", f"{name} cannot stand in YAML", at, "remove it")


def _position(file: str, before: str) -> Position:
    """Where the text `before` ends."""
    line = before.rpartition("\n")[2]
    return Position(file, before.count("\n") + 1, len(line) + 1)
