"""``image`` and ``services``."""

from typing import Any

from tracekeeper.pipeline import node as nodes
from tracekeeper.pipeline.config import Image, PullPolicy, Service
from tracekeeper.pipeline.node import Node
from tracekeeper.pipeline.reading.findings import Findings
from tracekeeper.pipeline.reading.values import (
    Table,
    choice,
    fields,
    listed,
    name,
    not_acted_on,
    one_or_listed,
    required,
    string,
    strings,
)
from tracekeeper.pipeline.reading.variables import job_variables

_POLICIES: tuple[PullPolicy, ...] = ("always", "if-not-present", "never")
_DOCKER: Table = {"platform": name, "user": name}


def _docker(node: Node, what: str, findings: Findings) -> dict[str, str]:
    return fields(node, what, _DOCKER, findings)


_IMAGE: Table = {
    "name": name,
    "entrypoint": strings,
    "pull_policy": one_or_listed(choice(_POLICIES)),
    "docker": _docker,
    "kubernetes": not_acted_on,
    "ports": not_acted_on,
}


def _aliases(node: Node, what: str, findings: Findings) -> tuple[str, ...]:
    """Several aliases stand in one string, with spaces or commas between them."""
    return tuple(name(node, what, findings).replace(",", " ").split())


_SERVICE: Table = {
    **_IMAGE,
    "alias": _aliases,
    "command": one_or_listed(string),
    "variables": job_variables,
}


def _container(node: Node, what: str, table: Table, findings: Findings) -> dict[str, Any]:
    """The keywords of an image or service, with those of ``docker`` among them."""
    if isinstance(node, nodes.Scalar):
        return {"name": name(node, what, findings)}
    values = fields(node, what, table, findings, "a string or a mapping")
    required(node, what, "name", values, findings)
    docker = values.pop("docker", {})
    return {"name": "", **values, **docker}


def image(node: Node, what: str, findings: Findings) -> Image:
    """``image``: a name, or a mapping."""
    return Image(**_container(node, what, _IMAGE, findings))


def service(node: Node, what: str, findings: Findings) -> Service:
    """One entry of ``services``: a name, or a mapping."""
    values = _container(node, what, _SERVICE, findings)
    values["aliases"] = values.pop("alias", ())
    return Service(**values)


services = listed(service)
