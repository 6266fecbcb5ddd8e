"""Expressions of rules, by GitLab's documentation and by a slow evaluator of random trees."""

from typing import TypeAlias

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tracekeeper.pipeline.expressions import MAX_TOKENS, ExpressionError, evaluate, parse

VALUES = {
    "BRANCH": "feature/x-1",
    "MAIN": "main",
    "EMPTY": "",
    "BLANK": " \t",
    "PATTERN": "/^feature/",
    "PATTERN_I": "/^FEATURE/i",
    "BROKEN": "/(/",
    "YES": "true",
}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        # https://docs.gitlab.com/ci/jobs/job_rules/#cicd-variable-expressions
        ('$MAIN == "main"', True),
        ("$MAIN == 'main'", True),
        ('$MAIN == "other"', False),
        ('$MAIN != "other"', True),
        ('"main" == $MAIN', True),
        ("$MAIN == $BRANCH", False),
        ("$UNKNOWN == null", True),
        ("$EMPTY == null", False),
        ("$MAIN != null", True),
        ('$EMPTY == ""', True),
        ('$UNKNOWN == ""', False),
        ("$MAIN", True),
        ("$EMPTY", False),
        ("$BLANK", False),
        ("$UNKNOWN", False),
        ("null", False),
        ('"text"', True),
        ("$BRANCH =~ /^feature/", True),
        ("$BRANCH =~ /^FEATURE/", False),
        ("$BRANCH =~ /^FEATURE/i", True),
        ("$BRANCH !~ /^feature/", False),
        ("$BRANCH !~ /^fix/", True),
        (r"$BRANCH =~ /^feature\/x/", True),
        ("$UNKNOWN =~ /.+.*/", False),
        ("$UNKNOWN =~ /^.*$/", True),
        ("$BRANCH =~ $PATTERN", True),
        ("$BRANCH =~ $PATTERN_I", True),
        ("$MAIN =~ $PATTERN", False),
        ("$MAIN !~ $PATTERN", True),
        ('$BRANCH =~ "/^feature/"', True),
        ("$BRANCH =~ $UNKNOWN", False),
        ("$BRANCH !~ $UNKNOWN", True),
        ("$BRANCH =~ null", False),
        ("$MAIN && $BRANCH", True),
        ("$MAIN && $UNKNOWN", False),
        ("$UNKNOWN || $MAIN", True),
        ("$UNKNOWN || $EMPTY", False),
        # && before ||, both before nothing else
        ("$MAIN || $MAIN && $UNKNOWN", True),
        ("($MAIN || $MAIN) && $UNKNOWN", False),
        ("$UNKNOWN && $MAIN || $MAIN", True),
        ('$MAIN == "main" && $BRANCH =~ /x-[0-9]+/', True),
        ('($MAIN == "x" || $MAIN == "main") && ($BRANCH)', True),
        # newer GitLab: ! and booleans
        ("!$UNKNOWN", True),
        ("!!$MAIN", True),
        ("!$MAIN || $BRANCH", True),
        ('!($MAIN == "main")', False),
        ("$YES == true", True),
        ("true == $YES", True),
        ("$YES != false", True),
        ("true == true", True),
        ("true", True),
        ("false", False),
        ("true =~ /^true$/", True),
        ("$YES =~ true", True),
        # white space is free, also that of folded YAML
        ('  $MAIN=="main"\n&&\t$BRANCH ', True),
        # GitLab's code, where its documentation is silent
        ("$EMPTY || $MAIN", False),
        ("$EMPTY && $MAIN", True),
        ('$MAIN =~ "the main road"', True),
        ('$MAIN =~ "road"', False),
        ("$MAIN =~ $BROKEN", False),
        ("$MAIN == /main/", False),
        ("/main/", True),
        ("/main/ =~ /^$$/", True),
    ],
)
def test_means_what_it_means_in_gitlab(expression: str, expected: bool) -> None:
    assert evaluate(expression, VALUES) is expected


def test_an_expression_is_evaluated_many_times() -> None:
    tree = parse('$A == "1"')
    assert [evaluate(tree, {"A": value}) for value in "123"] == [True, False, False]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("", "column 1: expected a value, found the end"),
        ("$A ==", "column 6: expected a value, found the end"),
        ("$A == == $B", "column 7: expected a value, found =="),
        ("$A $B", "column 4: expected an operator (==, !=, =~, !~, &&, ||) or the end, found $B"),
        ("$A)", "column 3: expected an operator (==, !=, =~, !~, &&, ||) or the end, found )"),
        ("($A && ($B)", "column 12: expected a ) for the ( at column 1, found the end"),
        ("()", "column 2: expected a value, found )"),
        ('$A = "x"', "column 4: expected an operator (==, !=, =~, !~, &&, ||), found ="),
        ("$A & $B", "column 4: expected an operator (==, !=, =~, !~, &&, ||), found &"),
        ("${A}", "column 1: write $NAME, braces are not allowed here"),
        ('A == "x"', 'column 1: expected a value, found A: write $A or "A"'),
        ('$A == "x', 'column 7: this " is never closed'),
        ("$A =~ /x", "column 7: this regular expression is not closed, or shorter than two"),
        ("$A =~ /x/", "column 7: this regular expression is not closed, or shorter than two"),
        ("$A =~ /x(/", "column 7: the regular expression /x(/ is not valid: a ( has no )"),
        ("$A # $B", "column 4: expected a value or an operator, found #"),
        (" && ".join(["$A"] * 51), f"cannot have more than {MAX_TOKENS} parts"),
        ("(" * 10_000, f"cannot have more than {MAX_TOKENS} parts"),
    ],
)
def test_says_where_it_is_wrong(expression: str, message: str) -> None:
    with pytest.raises(ExpressionError) as raised:
        parse(expression)
    assert message in str(raised.value)


# A tree is a variable, a text, or an operator with two trees.
Tree: TypeAlias = str | tuple[str, "Tree", "Tree"]

LEAVES = st.sampled_from(["$A", "$B", "$EMPTY", "$UNKNOWN", '"a"', '""', "null"])
TREES: st.SearchStrategy[Tree] = st.recursive(
    LEAVES, lambda trees: st.tuples(st.sampled_from(["==", "!=", "&&", "||"]), trees, trees)
)
STRENGTH = {"||": 1, "&&": 2, "==": 3, "!=": 3}


def written(tree: Tree, outer: int = 0) -> str:
    """`tree` with as few parentheses as the precedence allows."""
    if isinstance(tree, str):
        return tree
    operator, left, right = tree
    strength = STRENGTH[operator]
    text = f"{written(left, strength)} {operator} {written(right, strength + 1)}"
    return f"({text})" if strength < outer else text


def slow(tree: Tree) -> object:
    """Ruby's meaning, step by step."""
    if isinstance(tree, str):
        known = {"$A": "a", "$B": "b", "$EMPTY": "", '"a"': "a", '""': ""}
        return known.get(tree)
    operator, left, right = slow_operands(tree)
    if operator == "&&":
        return right if truthy(left) else left
    if operator == "||":
        return left if truthy(left) else right
    same = type(left) is type(right) and left == right
    if {type(left), type(right)} == {str, bool}:
        same = str(left).lower() == str(right).lower()
    return same if operator == "==" else not same


def slow_operands(tree: tuple[str, Tree, Tree]) -> tuple[str, object, object]:
    return tree[0], slow(tree[1]), slow(tree[2])


def truthy(value: object) -> bool:
    return value not in (None, False)


@given(TREES)
@example(("==", ("==", "$A", '"a"'), "$B"))
@example(("&&", "$EMPTY", "$B"))
def test_random_trees_mean_what_the_slow_evaluator_says(tree: Tree) -> None:
    text = written(tree)
    if sum(map(text.count, "$n()=!&|")) > MAX_TOKENS // 2:
        return
    expected = slow(tree) not in (None, False, "")
    assert evaluate(text, {"A": "a", "B": "b", "EMPTY": ""}) is expected


@given(st.text("$AB\"'/ax=~!&|() \n[*\\", max_size=20))
def test_every_text_is_an_expression_or_refused(text: str) -> None:
    try:
        tree = parse(text)
    except ExpressionError:
        return
    assert evaluate(tree, {"A": "/a/", "B": "["}) in (True, False)
