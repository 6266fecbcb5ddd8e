"""``rules``, ``workflow``, and the older ``only`` and ``except``."""

from functools import lru_cache
from typing import Any

from tracekeeper.pipeline import node as nodes
from tracekeeper.pipeline.config import OnlyExcept, PathCondition, Rule, When, Workflow
from tracekeeper.pipeline.expressions import ExpressionError, parse
from tracekeeper.pipeline.node import Node
from tracekeeper.pipeline.reading.findings import Findings
from tracekeeper.pipeline.reading.needs import needs
from tracekeeper.pipeline.reading.values import (
    Reader,
    Table,
    boolean,
    choice,
    duration_below,
    fields,
    listed,
    not_acted_on,
    required,
    string,
    strings,
    wrong_type,
    wrong_value,
)
from tracekeeper.pipeline.reading.variables import plain_variables

start_in = duration_below(7 * 86_400, "1 week")
_MOST_PATTERNS = 50
_JOB_WHEN: tuple[When, ...] = ("on_success", "on_failure", "always", "never", "manual", "delayed")
_WORKFLOW_WHEN: tuple[When, ...] = ("always", "never")


@lru_cache(maxsize=1024)
def _syntax_error(expression: str) -> str | None:
    """What is wrong with `expression`, if anything; files repeat the same few."""
    try:
        parse(expression)
    except ExpressionError as error:
        return str(error)
    return None


def expression(node: Node, what: str, findings: Findings) -> str:
    """A condition on variables."""
    text = string(node, what, findings)
    given = isinstance(node, nodes.Scalar) and isinstance(node.value, str)
    mistake = _syntax_error(text) if given else None
    if mistake is not None:
        findings.error("bad_expression", f"`{what}`: {mistake}", node.at)
    return text


_patterns = listed(string, _MOST_PATTERNS)


def _path_condition(table: Table) -> Reader[PathCondition]:
    def read(node: Node, what: str, findings: Findings) -> PathCondition:
        if not isinstance(node, nodes.Mapping):
            return PathCondition(_patterns(node, what, findings), node.at)
        values = fields(node, what, table, findings)
        required(node, what, "paths", values, findings)
        return PathCondition(values.get("paths", ()), node.at, values.get("compare_to", ""))

    return read


_auto_cancel_keys: Table = {
    "on_new_commit": choice(("conservative", "interruptible", "none")),
    "on_job_failure": choice(("none", "all")),
}


def _auto_cancel(node: Node, what: str, findings: Findings) -> dict[str, str]:
    not_acted_on(node, what, findings)
    return fields(node, what, _auto_cancel_keys, findings)


_CONDITIONS: Table = {
    "if": expression,
    "changes": _path_condition({"paths": _patterns, "compare_to": string}),
    "exists": _path_condition({"paths": _patterns, "project": not_acted_on, "ref": not_acted_on}),
    "variables": plain_variables,
}
_JOB_RULE: Table = {
    **_CONDITIONS,
    "when": choice(_JOB_WHEN),
    "start_in": start_in,
    "allow_failure": boolean,
    "needs": needs,
    "interruptible": boolean,
}
_WORKFLOW_RULE: Table = {
    **_CONDITIONS,
    "when": choice(_WORKFLOW_WHEN),
    "auto_cancel": _auto_cancel,
    "allow_failure": not_acted_on,
    "needs": not_acted_on,
}


def _rule(table: Table) -> Reader[Rule]:
    def read(node: Node, what: str, findings: Findings) -> Rule:
        values = fields(node, what, table, findings)
        if isinstance(node, nodes.Mapping) and not node.entries:
            wrong_value(node, f"an entry of `{what}` must not be empty", findings)
        _check_delay(node, what, values, findings)
        if "if" in values:
            values["condition"] = values.pop("if")
        return Rule(node.at, **values)

    return read


def _check_delay(node: Node, what: str, values: dict[str, Any], findings: Findings) -> None:
    delayed = values.get("when") == "delayed"
    if delayed and "start_in" not in values:
        message, hint = f"`{what}:when: delayed` needs `start_in`", 'for example "30 minutes"'
        findings.error("missing_keyword", message, node.at, hint)
    if "start_in" in values and not delayed:
        message = f"`{what}:start_in` has no meaning without `when: delayed`"
        findings.error("conflicting_keywords", message, node.at)


rules = listed(_rule(_JOB_RULE))
_WORKFLOW: Table = {
    "name": string,
    "rules": listed(_rule(_WORKFLOW_RULE)),
    "auto_cancel": _auto_cancel,
}


def workflow(node: Node, what: str, findings: Findings) -> Workflow:
    """``workflow``."""
    values = fields(node, what, _WORKFLOW, findings)
    return Workflow(values.get("name", ""), values.get("rules"))


_ONLY: Table = {
    "refs": strings,
    "variables": listed(expression),
    "changes": strings,
    "kubernetes": choice(("active",)),
}


def only(node: Node, what: str, findings: Findings) -> OnlyExcept:
    """``only`` or ``except``: a list of refs, or a mapping."""
    if isinstance(node, nodes.Sequence):
        return OnlyExcept(node.at, refs=strings(node, what, findings))
    if not isinstance(node, nodes.Mapping):
        hint = f"write [{node.text}]" if isinstance(node, nodes.Scalar) else ""
        wrong_type(node, what, "a list of refs or a mapping", findings, hint)
        return OnlyExcept(node.at)
    values = fields(node, what, _ONLY, findings)
    values["kubernetes"] = "kubernetes" in values
    return OnlyExcept(node.at, **values)
