"""``environment``."""

import re

from tracekeeper.pipeline import node as nodes
from tracekeeper.pipeline.config import Environment
from tracekeeper.pipeline.node import Node
from tracekeeper.pipeline.reading.findings import Findings
from tracekeeper.pipeline.reading.values import (
    Table,
    choice,
    fields,
    name,
    not_acted_on,
    or_variable,
    required,
    string,
    wrong_value,
)

_NAME = re.compile(r"[\w\-${}. ]([\w\-${}. /]*[\w\-${}. ])?", re.ASCII)
_LONGEST_URL = 255
_TIERS = ("production", "staging", "testing", "development", "other")


def _environment_name(node: Node, what: str, findings: Findings) -> str:
    text = name(node, what, findings)
    if text and not _NAME.fullmatch(text):
        message = f"`{what}` cannot be `{text}`"
        hint = "letters, digits, spaces and -_/${}. are allowed, no / at either end"
        wrong_value(node, message, findings, hint)
    return text


def _url(node: Node, what: str, findings: Findings) -> str:
    text = string(node, what, findings)
    if len(text) > _LONGEST_URL:
        wrong_value(node, f"`{what}` is longer than {_LONGEST_URL} characters", findings)
    return text


_ENVIRONMENT: Table = {
    "name": _environment_name,
    "url": _url,
    "action": choice(("start", "prepare", "stop", "verify", "access")),
    "on_stop": name,
    "deployment_tier": or_variable(choice(_TIERS)),
    "auto_stop_in": string,
    "kubernetes": not_acted_on,
}


def environment(node: Node, what: str, findings: Findings) -> Environment:
    """``environment``: a name, or a mapping."""
    if isinstance(node, nodes.Scalar):
        return Environment(_environment_name(node, what, findings))
    values = fields(node, what, _ENVIRONMENT, findings, "a string or a mapping")
    required(node, what, "name", values, findings)
    return Environment(**{"name": "", **values})
