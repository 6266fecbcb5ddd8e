"""``default`` and ``inherit``: what a job takes over when it does not say so itself."""

from typing import Any

from tracekeeper.pipeline import node as nodes
from tracekeeper.pipeline.node import Entry, Mapping, Node
from tracekeeper.pipeline.reading.artifacts import artifacts
from tracekeeper.pipeline.reading.attempts import retry
from tracekeeper.pipeline.reading.caches import caches
from tracekeeper.pipeline.reading.findings import Findings
from tracekeeper.pipeline.reading.images import image, services
from tracekeeper.pipeline.reading.scripts import commands, hooks
from tracekeeper.pipeline.reading.values import (
    Reader,
    Table,
    boolean,
    choice,
    fields,
    is_absent,
    listed,
    name,
    not_acted_on,
)

_MOST_TAGS = 49

GLOBALS: Table = {
    "image": image,
    "services": services,
    "cache": caches,
    "before_script": commands,
    "after_script": commands,
}
"""Keywords that may stand at the top of the file, as an older way to write ``default``."""

INHERITED: Table = {
    **GLOBALS,
    "artifacts": artifacts,
    "hooks": hooks,
    "interruptible": boolean,
    "retry": retry,
    "tags": listed(name, _MOST_TAGS),
}
"""Keywords that a job takes from ``default``."""

# A default timeout has no effect in GitLab either (its issue 213634).
_DEFAULT: Table = {
    **INHERITED,
    "timeout": not_acted_on,
    "id_tokens": not_acted_on,
    "identity": not_acted_on,
}


def read_defaults(document: Mapping, findings: Findings) -> dict[str, Entry]:
    """The entries of ``default`` and of older top-level keywords, all of them checked."""
    found = {key: document.entries[key] for key in GLOBALS if not is_absent(document.get(key))}
    fields(Mapping(dict(found), document.at), "", GLOBALS, findings)
    default = document.get("default")
    if default is None or is_absent(default):
        return found
    fields(default, "default", _DEFAULT, findings)
    if isinstance(default, nodes.Mapping):
        for entry in default:
            if entry.key in found:
                message = f"`{entry.key}` is given at the top level and in `default`"
                findings.error("defined_twice", message, entry.at, "keep the one in `default`")
            elif entry.key in INHERITED and not is_absent(entry.value):
                found[entry.key] = entry
    return found


def _all_or_some(of: Reader[str]) -> Reader[bool | tuple[str, ...]]:
    some = listed(of)

    def read(node: Node, what: str, findings: Findings) -> bool | tuple[str, ...]:
        if isinstance(node, nodes.Scalar):
            return boolean(node, what, findings)
        return some(node, what, findings)

    return read


_INHERIT: Table = {
    "default": _all_or_some(choice(tuple(_DEFAULT))),
    "variables": _all_or_some(name),
}


def inherit(node: Node, what: str, findings: Findings) -> dict[str, Any]:
    """``inherit``: for `default` and `variables` all, none or the listed ones."""
    return fields(node, what, _INHERIT, findings)


def with_defaults(
    job: Mapping, defaults: dict[str, Entry], takes: bool | tuple[str, ...]
) -> Mapping:
    """`job` with what it takes from the defaults. They fill gaps and never merge."""
    missing = {
        key: entry
        for key, entry in defaults.items()
        if (takes is True or (takes and key in takes)) and is_absent(job.get(key))
    }
    return Mapping({**job.entries, **missing}, job.at) if missing else job
