r"""The expressions of ``rules: if``, ``workflow: rules: if`` and ``only: variables``.

    or    = and { "||" and }            and  = compare { "&&" compare }
    compare = not { ("==" | "!=" | "=~" | "!~") not }
    not   = { "!" } value               value = $NAME | "text" | 'text' | /regex/flags
                                                | null | true | false | "(" or ")"

The meaning is that of GitLab's code (lib/gitlab/ci/pipeline/expression), which is Ruby's, also
where that surprises: a variable that is defined but empty is not null, and ends ``||``. So
``$EMPTY || $B`` is false whatever B holds, and ``$EMPTY && $B`` is B. Both are as GitLab does;
its documentation does not say so (https://gitlab.com/gitlab-org/gitlab/-/issues/358775).
Values are compared as they are given: GitLab does not expand variables inside the values that
``if`` sees (https://docs.gitlab.com/ci/yaml/#rulesif).
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import msgspec

from tracekeeper.pipeline.regex import Automaton, RegexError, compile_literal

MAX_TOKENS = 99
"""GitLab's limit; it also bounds how deep an expression can nest."""

_TOKENS = re.compile(
    r"""
      (?P<variable>\$[A-Za-z0-9_]+)
    | (?P<text>"[^"\n]*"|'[^'\n]*')
    | (?P<pattern>/(?:[^/]|\\/)+[^\\]/[ismU]*)
    | (?P<null>null)
    | (?P<boolean>\b(?:true|false)\b)
    | (?P<compare>==|=~|!=|!~)
    | (?P<operator>\(|\)|&&|\|\||!)
    | (?P<space>\s+)
    """,
    re.VERBOSE,
)

Result: TypeAlias = str | bool | Automaton | None


class ExpressionError(ValueError):
    """An expression that is not valid: at which column, and what was expected there."""


class Token(NamedTuple):
    """One word of an expression; `column` counts from 1."""

    kind: str
    text: str
    column: int


class Literal(msgspec.Struct, frozen=True):
    """A value that stands in the expression itself."""

    value: Result

    def evaluate(self, _values: Mapping[str, str]) -> Result:
        """The value."""
        return self.value


class Variable(msgspec.Struct, frozen=True):
    """``$NAME``."""

    name: str

    def evaluate(self, values: Mapping[str, str]) -> Result:
        """The variable's value, None if it is not defined."""
        return values.get(self.name)


class Not(msgspec.Struct, frozen=True):
    """``!operand``."""

    operand: "Expression"

    def evaluate(self, values: Mapping[str, str]) -> Result:
        """Whether the operand is nothing, false or blank."""
        return not _present(self.operand.evaluate(values))


class Comparison(msgspec.Struct, frozen=True):
    """``==``, ``!=``, ``=~`` and ``!~``."""

    operator: str
    left: "Expression"
    right: "Expression"

    def evaluate(self, values: Mapping[str, str]) -> Result:
        """Whether the comparison holds."""
        compare = _equal if self.operator[1] == "=" else _matches
        holds = compare(self.left.evaluate(values), self.right.evaluate(values))
        return holds != self.operator.startswith("!")


class Logic(msgspec.Struct, frozen=True):
    """``&&`` and ``||``: like Ruby's they give an operand, and only null and false are false."""

    operator: str
    left: "Expression"
    right: "Expression"

    def evaluate(self, values: Mapping[str, str]) -> Result:
        """The operand that decides."""
        left = self.left.evaluate(values)
        decided = (left is None or left is False) == (self.operator == "&&")
        return left if decided else self.right.evaluate(values)


Expression: TypeAlias = Literal | Variable | Not | Comparison | Logic


def evaluate(expression: str | Expression, values: Mapping[str, str]) -> bool:
    """Whether `expression` is true of `values`. Raises ExpressionError for text that is none."""
    tree = parse(expression) if isinstance(expression, str) else expression
    return _present(tree.evaluate(values))


@lru_cache(maxsize=4096)
def parse(text: str) -> Expression:
    """The expression that `text` holds. Raises ExpressionError."""
    return _Parser(text).parse()


def _present(value: Result) -> bool:
    """Rails' ``present?``: a text of white space only is as good as none."""
    if isinstance(value, str):
        return not value.isspace() and value != ""
    return value is not None and value is not False


def _equal(left: Result, right: Result) -> bool:
    if isinstance(left, bool) and isinstance(right, str):
        return _text(left) == right
    if isinstance(left, str) and isinstance(right, bool):
        return left == _text(right)
    return left == right


def _matches(left: Result, right: Result) -> bool:
    """Whether `left` matches the pattern `right`. GitLab takes a text that is no ``/pattern/``
    the other way round: `left` then has to be somewhere in it."""
    if right is None or right is False:
        return False
    if isinstance(right, Automaton):
        return right.search(_text(left))
    try:
        return compile_literal(_text(right)).search(_text(left))
    except RegexError:
        return _text(left) in _text(right)


def _text(value: Result) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else ""


def _tokens(text: str) -> list[Token]:
    tokens = []
    at = 0
    while at < len(text):
        found = _TOKENS.match(text, at)
        if found is None:
            raise ExpressionError(f"column {at + 1}: {_complaint(text[at:])}")
        if found.lastgroup != "space":
            tokens.append(Token(found.lastgroup or "", found[0], at + 1))
        at = found.end()
    if len(tokens) > MAX_TOKENS:
        raise ExpressionError(f"an expression cannot have more than {MAX_TOKENS} parts")
    return tokens


def _complaint(rest: str) -> str:
    """What is wrong with text that starts no token."""
    if rest.startswith("${"):
        return "write $NAME, braces are not allowed here"
    if rest[0] in "\"'":
        return f"this {rest[0]} is never closed"
    if rest[0] == "/":
        return "this regular expression is not closed, or shorter than two characters"
    if rest[0] in "&|=":
        return f"expected an operator (==, !=, =~, !~, &&, ||), found {rest[:2].rstrip()}"
    word = re.match(r"\w+", rest)
    if word:
        return f'expected a value, found {word[0]}: write ${word[0]} or "{word[0]}"'
    return f"expected a value or an operator, found {rest[0]}"


class _Parser:
    """Recursive descent; each method reads one rule of the grammar."""

    __slots__ = ("_at", "_end", "_tokens")

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._end = Token("end", "the end", len(text) + 1)
        self._at = 0

    def parse(self) -> Expression:
        tree = self._or()
        rest = self._peek()
        if rest is not self._end:
            raise _expected("an operator (==, !=, =~, !~, &&, ||) or the end", rest)
        return tree

    def _or(self) -> Expression:
        tree = self._and()
        while self._take("||"):
            tree = Logic("||", tree, self._and())
        return tree

    def _and(self) -> Expression:
        tree = self._compare()
        while self._take("&&"):
            tree = Logic("&&", tree, self._compare())
        return tree

    def _compare(self) -> Expression:
        tree = self._not()
        while self._peek().kind == "compare":
            operator = self._next().text
            tree = Comparison(operator, tree, self._not())
        return tree

    def _not(self) -> Expression:
        if self._take("!"):
            return Not(self._not())
        return self._value()

    def _value(self) -> Expression:
        token = self._next()
        if token.text == "(":
            return self._parenthesised(token)
        if token.kind == "variable":
            return Variable(token.text[1:])
        if token.kind == "text":
            return Literal(token.text[1:-1])
        if token.kind == "pattern":
            return Literal(_regex(token))
        if token.kind == "boolean":
            return Literal(token.text == "true")
        if token.kind == "null":
            return Literal(None)
        raise _expected("a value", token)

    def _parenthesised(self, opening: Token) -> Expression:
        tree = self._or()
        if not self._take(")"):
            raise _expected(f"a ) for the ( at column {opening.column}", self._peek())
        return tree

    def _peek(self) -> Token:
        return self._tokens[self._at] if self._at < len(self._tokens) else self._end

    def _next(self) -> Token:
        token = self._peek()
        self._at += 1
        return token

    def _take(self, operator: str) -> bool:
        token = self._peek()
        taken = token.kind == "operator" and token.text == operator
        self._at += taken
        return taken


def _regex(token: Token) -> Automaton:
    try:
        return compile_literal(token.text)
    except RegexError as error:
        raise ExpressionError(
            f"column {token.column}: the regular expression {token.text} is not valid: {error}"
        ) from None


def _expected(what: str, found: Token) -> ExpressionError:
    return ExpressionError(f"column {found.column}: expected {what}, found {found.text}")
