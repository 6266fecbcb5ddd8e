"""``script``, ``before_script``, ``after_script`` and ``hooks``."""

from tracekeeper.pipeline import node as nodes
from tracekeeper.pipeline.node import Node
from tracekeeper.pipeline.reading.findings import Findings
from tracekeeper.pipeline.reading.values import (
    Table,
    fields,
    not_acted_on,
    one_or_listed,
    string,
    wrong_type,
    wrong_value,
)


def _command(node: Node, what: str, findings: Findings) -> str:
    """One entry of a script: a string, of one or more lines."""
    if isinstance(node, nodes.Mapping):
        hint = "put the command in quotes: with `: ` in it, YAML reads a mapping"
        wrong_type(node, what, "a list of commands", findings, hint)
        return ""
    return string(node, what, findings)


commands = one_or_listed(_command)


def script(node: Node, what: str, findings: Findings) -> tuple[str, ...]:
    """The job's own script, which must not be empty."""
    lines = commands(node, what, findings)
    if (isinstance(node, nodes.Scalar) and node.value == "") or (
        isinstance(node, nodes.Sequence) and not node.items
    ):
        wrong_value(node, f"`{what}` must not be empty", findings)
    return lines


_HOOKS: Table = {"pre_get_sources_script": commands}


def hooks(node: Node, what: str, findings: Findings) -> tuple[str, ...]:
    """``hooks``: the commands of ``pre_get_sources_script``, checked and not acted on."""
    not_acted_on(node, what, findings)
    lines: tuple[str, ...] = fields(node, what, _HOOKS, findings).get("pre_get_sources_script", ())
    return lines
