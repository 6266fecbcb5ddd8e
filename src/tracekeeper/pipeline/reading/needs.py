"""``needs``."""

from collections.abc import Mapping

from tracekeeper.pipeline import node as nodes
from tracekeeper.pipeline.config import Need
from tracekeeper.pipeline.node import Node
from tracekeeper.pipeline.reading.attempts import matrix_rows
from tracekeeper.pipeline.reading.findings import Findings
from tracekeeper.pipeline.reading.values import (
    Reader,
    Table,
    boolean,
    fields,
    is_absent,
    listed,
    name,
    not_acted_on,
    required,
)

MOST_NEEDS = 50

_PARALLEL: Table = {"matrix": matrix_rows}


def _matrix(node: Node, what: str, findings: Findings) -> tuple[Mapping[str, tuple[str, ...]], ...]:
    values = fields(node, what, _PARALLEL, findings)
    required(node, what, "matrix", values, findings)
    return tuple(row.variables for row in values.get("matrix", ()))


_NEED: Table = {
    "job": name,
    "artifacts": boolean,
    "optional": boolean,
    "parallel": _matrix,
    "pipeline": name,
    "project": name,
    "ref": name,
}
_ELSEWHERE = ("pipeline", "project", "ref")


def _need(node: Node, what: str, findings: Findings) -> Need | None:
    """One need, or None where it is of another pipeline or project, or null (GitLab skips it)."""
    if is_absent(node):
        return None
    if isinstance(node, nodes.Scalar):
        return Need(name(node, what, findings), node.at)
    values = fields(node, what, _NEED, findings, "a job's name or a mapping")
    elsewhere = next((key for key in _ELSEWHERE if key in values), None)
    if elsewhere:
        not_acted_on(node, f"{what}:{elsewhere}", findings)
        return None
    required(node, what, "job", values, findings)
    return Need(
        values.get("job", ""),
        node.at,
        artifacts=values.get("artifacts", True),
        optional=values.get("optional", False),
        matrix=values.get("parallel", ()),
    )


_listed: Reader[tuple[Need | None, ...]] = listed(_need, MOST_NEEDS)


def needs(node: Node, what: str, findings: Findings) -> tuple[Need, ...]:
    """``needs``: a list; one mapping alone stands for a list of one."""
    if isinstance(node, nodes.Mapping):
        entries: tuple[Need | None, ...] = (_need(node, what, findings),)
    else:
        entries = _listed(node, what, findings)
    return tuple(need for need in entries if need is not None)
