"""``variables`` at every level: what a variable may be, and how its value becomes text."""

from typing import Any

from tracekeeper.pipeline import node as nodes
from tracekeeper.pipeline.config import Variable
from tracekeeper.pipeline.node import Node
from tracekeeper.pipeline.reading.findings import Findings
from tracekeeper.pipeline.reading.values import (
    Reader,
    Table,
    boolean,
    fields,
    listed,
    string,
    wrong_type,
    wrong_value,
)


def text_of(node: nodes.Scalar) -> str:
    """The text GitLab makes of a scalar: Ruby's, so ``1.10`` is 1.1 and ``012`` is 10."""
    value = node.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float_text(value)
    return str(value)


def _float_text(value: float) -> str:
    """`value` as Ruby writes it: 1.0e+20 where Python has 1e+20."""
    special = {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}
    text = repr(value)
    mantissa, e, exponent = text.partition("e")
    if e and "." not in mantissa:
        return f"{mantissa}.0e{exponent}"
    return special.get(text, text)


def scalar_text(node: Node, what: str, findings: Findings) -> str:
    """A string, number or boolean as text, null as the empty string."""
    if isinstance(node, nodes.Scalar):
        return text_of(node)
    wrong_type(node, what, "a string, a number or a boolean", findings)
    return ""


_GLOBAL: Table = {
    "value": scalar_text,
    "description": scalar_text,
    "expand": boolean,
    "options": listed(string),
}
_JOB: Table = {"value": scalar_text, "expand": boolean}


def _described(entry: nodes.Entry, what: str, table: Table, findings: Findings) -> Variable:
    """A variable written as a mapping of `value` and more."""
    values = fields(entry.value, what, table, findings)
    value, options = values.get("value", ""), values.get("options", ())
    if options and value not in options:
        wrong_value(entry.value, f"`{what}:value` must be one of its options", findings)
    return Variable(
        entry.key,
        value,
        raw=not values.get("expand", True),
        description=values.get("description", ""),
        options=options,
    )


def _variables(table: Table | None) -> Reader[dict[str, Variable]]:
    def read(node: Node, what: str, findings: Findings) -> dict[str, Variable]:
        if not isinstance(node, nodes.Mapping):
            wrong_type(node, what, "a mapping of names to values", findings)
            return {}
        variables: dict[str, Variable] = {}
        for entry in node:
            value = entry.value
            if isinstance(value, nodes.Scalar):
                variables[entry.key] = Variable(entry.key, text_of(value))
            elif table is not None and isinstance(value, nodes.Mapping):
                of = f"{what}:{entry.key}"
                variables[entry.key] = _described(entry, of, table, findings)
            else:
                form = "a string" if table is None else "a string or a mapping"
                wrong_type(value, f"{what}:{entry.key}", form, findings)
        return variables

    return read


global_variables = _variables(_GLOBAL)
"""Reader of top-level ``variables``, which may have a description and options."""
job_variables = _variables(_JOB)
"""Reader of a job's or service's ``variables``: plain, or with ``value`` and ``expand``."""
plain_variables = _variables(None)
"""Reader of ``rules:variables``, which are plain."""


def matrix_variables(node: Node, what: str, findings: Findings) -> dict[str, tuple[str, ...]]:
    """One row of a matrix: names, each with a value or a list of values."""
    if not isinstance(node, nodes.Mapping):
        wrong_type(node, what, "a mapping of names to values", findings)
        return {}
    row: dict[str, Any] = {}
    for entry in node:
        value, of = entry.value, f"{what}:{entry.key}"
        if isinstance(value, nodes.Sequence):
            row[entry.key] = _values(value, of, findings)
        else:
            row[entry.key] = (scalar_text(value, of, findings),)
    if not row:
        wrong_value(node, f"`{what}` needs at least one variable", findings)
    return row


_values = listed(scalar_text)
