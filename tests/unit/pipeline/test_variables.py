"""References inside text and between variables, against GitLab's rules and a slow version."""

import re
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.errors import UsageError
from tracekeeper.pipeline.config import Variable
from tracekeeper.pipeline.variables import MAX_VALUE, expand, references, resolve
from tracekeeper.protocol.payload import JobVariable

VALUES = {"A": "alpha", "AB": "both", "EMPTY": "", "_x1": "under"}

EXPANSIONS = [
    ("plain", "plain"),
    ("$A", "alpha"),
    ("${A}", "alpha"),
    ("$AB-$A.${A}B", "both-alpha.alphaB"),
    ("$A$A", "alphaalpha"),
    ("[$EMPTY]", "[]"),
    ("[$UNKNOWN${UNKNOWN}]", "[]"),
    ("$$A", "$A"),
    ("$$$A", "$alpha"),
    ("$$$$", "$$"),
    ("${$}", "$"),
    ("%A%", "%A%"),
    ("100$ and $ 5", "100$ and $ 5"),
    ("a$", "a$"),
    ("$(date)", "$(date)"),
    ("$é", "$é"),
    ("$1a$9$*$#$@$!$?$-", "a"),
    ("${1}", ""),
    ("${}x", "x"),
    ("${A", "A"),
    ("${A:-x}", ""),
    ("$_x1", "under"),
    ("line\n$A\n", "line\nalpha\n"),
]


@pytest.mark.parametrize(("text", "expanded"), EXPANSIONS)
def test_expand(text: str, expanded: str) -> None:
    assert expand(text, VALUES) == expanded


@pytest.mark.parametrize(
    ("text", "expanded"),
    [("$A/$B/${B}", "alpha/$B/${B}"), ("$$A", "$$A"), ("${}${", "${}${"), ("[$EMPTY]", "[]")],
)
def test_expand_keeping_what_is_unknown(text: str, expanded: str) -> None:
    assert expand(text, VALUES, keep_unknown=True) == expanded


def test_values_are_not_expanded_again() -> None:
    assert expand("$A", {"A": "$B", "B": "no"}) == "$B"


def test_references() -> None:
    assert references("$A ${B} $$ $1 ${} $") == {"A", "B", "$", "1"}
    assert references("nothing") == set()


def variable(key: str, value: str, *, raw: bool = False, file: bool = False) -> Variable:
    return Variable(key, value, raw=raw, file=file)


def test_references_in_any_order() -> None:
    chain = [variable("A", "$B"), variable("B", "${C}!"), variable("C", "c")]
    assert resolve(chain) == {"A": "c!", "B": "c!", "C": "c"}


def test_the_later_wins() -> None:
    assert resolve([variable("A", "1"), variable("B", "$A"), variable("A", "2")]) == {
        "A": "2",
        "B": "2",
    }


def test_a_reference_to_its_own_key_is_the_weaker_value() -> None:
    three = [variable("P", "a"), variable("P", "$P:b"), variable("P", "$P:c"), variable("Q", "$P")]
    assert resolve(three) == {"P": "a:b:c", "Q": "a:b:c"}


def test_a_reference_to_its_own_key_stays_without_a_weaker_value() -> None:
    assert resolve([variable("PATH", "$PATH:${PATH}")]) == {"PATH": "$PATH:$PATH"}


def test_circles_and_what_leads_to_them_stay() -> None:
    circle = [
        variable("A", "$B"),
        variable("B", "$A"),
        variable("C", "$A $D"),
        variable("D", "$E"),
        variable("E", "e"),
    ]
    assert resolve(circle) == {"A": "$B", "B": "$A", "C": "$A $D", "D": "e", "E": "e"}


def test_raw_values() -> None:
    values = [variable("R", "$$x $A", raw=True), variable("A", "[$R]"), variable("B", "$A")]
    assert resolve(values) == {"R": "$$x $A", "A": "[$$x $A]", "B": "[$$x $A]"}


def test_dollar_is_made_once_only() -> None:
    assert resolve([variable("A", "$$B"), variable("B", "b"), variable("C", "$A")]) == {
        "A": "$B",
        "B": "b",
        "C": "$B",
    }


def test_file_variables() -> None:
    values = [variable("F", "text $A", file=True), variable("A", "a"), variable("B", "at $F")]
    assert resolve(values) == {"F": "text a", "A": "a", "B": "at text a"}
    assert resolve(values, files="/b/p.tmp") == {"F": "text a", "A": "a", "B": "at /b/p.tmp/F"}


def test_variables_of_a_payload() -> None:
    assert resolve([JobVariable("A", "$B"), JobVariable("B", "b")]) == {"A": "b", "B": "b"}


def test_a_long_chain_needs_no_stack() -> None:
    chain = [variable(f"V{n}", f"$V{n + 1}") for n in range(5000)]
    assert resolve([*chain, variable("V5000", "end")])["V0"] == "end"


def test_a_bomb_is_refused() -> None:
    bomb = [variable(f"V{n}", f"$V{n + 1}" * 10) for n in range(30)]
    with pytest.raises(UsageError, match="grows beyond 1048576 characters"):
        resolve([*bomb, variable("V30", "boom")])


def test_a_large_value_that_does_not_grow_is_fine() -> None:
    text = "x" * (2 * MAX_VALUE)
    assert resolve([variable("A", text)]) == {"A": text}


def slow_expand(text: str, values: Mapping[str, str]) -> str:
    """One character at a time, as Go's os.Expand reads it."""
    if not text:
        return ""
    if text[0] != "$":
        return text[0] + slow_expand(text[1:], values)
    rest = text[1:]
    if rest.startswith("{"):
        name, closed, after = rest[1:].partition("}")
        if not closed:
            return slow_expand(rest[1:], values)
    elif rest and rest[0] in "*#$@!?-0123456789":
        name, after = rest[0], rest[1:]
    else:
        name = next((m[0] for m in [re.match(r"[A-Za-z0-9_]+", rest)] if m), "")
        after = rest[len(name) :]
        if not name:
            return "$" + slow_expand(after, values)
    value = "$" if name == "$" else values.get(name, "")
    return value + slow_expand(after, values)


pieces = st.lists(
    st.sampled_from(["$", "{", "}", "A", "B", "_", "1", "$A", "${B}", "$$", "?", " ", "\n", "é"]),
    max_size=12,
).map("".join)


@given(text=pieces, values=st.dictionaries(st.sampled_from(["A", "B", "AB", "A1"]), pieces))
def test_expand_agrees_with_a_slow_version(text: str, values: dict[str, str]) -> None:
    assert expand(text, values) == slow_expand(text, values)


def slow_value(key: str, values: Mapping[str, str], above: tuple[str, ...] = ()) -> str | None:
    """`key` expanded by recursion; None where it meets a circle of more than one variable."""
    if key in above[:-1]:
        return None
    if above and key == above[-1]:
        return f"${key}"
    scope = {
        name: slow_value(name, values, (*above, key))
        for name in references(values[key]) & values.keys()
    }
    known = {name: value for name, value in scope.items() if value is not None}
    return expand(values[key], known) if len(known) == len(scope) else None


names = st.sampled_from(["A", "B", "C", "D", "E"])
templates = st.lists(
    st.one_of(names.map(lambda n: f"${n}"), st.sampled_from(["-", "$$", "$Z"])), max_size=3
)


@given(st.dictionaries(names, templates.map("".join)))
def test_resolve_agrees_with_a_slow_version(values: dict[str, str]) -> None:
    slow = {key: slow_value(key, values) for key in values}
    expected = {key: values[key] if value is None else value for key, value in slow.items()}
    assert resolve([variable(key, value) for key, value in values.items()]) == expected
