"""``cache``."""

import re

from tracekeeper.pipeline import node as nodes
from tracekeeper.pipeline.config import Cache, CacheKeyFiles
from tracekeeper.pipeline.node import Node
from tracekeeper.pipeline.reading.artifacts import ARTIFACTS_WHEN
from tracekeeper.pipeline.reading.findings import Findings
from tracekeeper.pipeline.reading.paths import project_path, project_paths
from tracekeeper.pipeline.reading.values import (
    Table,
    boolean,
    choice,
    fields,
    listed,
    name,
    not_acted_on,
    or_variable,
    required,
    string,
    wrong_value,
)

_MOST_CACHES = 4
_MOST_KEY_FILES = 10  # 2 unless the GitLab instance has raised it
_MOST_FALLBACK_KEYS = 5
_POLICIES = ("pull-push", "pull", "push")
_DOTS_ONLY = re.compile(r"(\.|%2e)+", re.IGNORECASE)

_KEY: Table = {
    "files": listed(project_path, _MOST_KEY_FILES),
    "files_commits": not_acted_on,
    "prefix": string,
}


def _key(node: Node, what: str, findings: Findings) -> str | CacheKeyFiles:
    """A string, or the files it follows."""
    if isinstance(node, nodes.Scalar):
        return _key_text(node, what, findings)
    values = fields(node, what, _KEY, findings, "a string or a mapping")
    if "files" in values:
        return CacheKeyFiles(**values)
    if not (isinstance(node, nodes.Mapping) and "files_commits" in node):
        required(node, what, "files", values, findings)
    return "default"


def _key_text(node: Node, what: str, findings: Findings) -> str:
    text = name(node, what, findings)
    if "/" in text or "%2f" in text.lower():
        wrong_value(node, f"`{what}` must not contain `/`", findings, "for example use `-`")
    if _DOTS_ONLY.fullmatch(text):
        wrong_value(node, f"`{what}` must not be dots alone", findings)
    return text


_CACHE: Table = {
    "key": _key,
    "paths": project_paths,
    "untracked": boolean,
    "policy": or_variable(choice(_POLICIES)),
    "when": choice(ARTIFACTS_WHEN),
    "fallback_keys": listed(_key_text, _MOST_FALLBACK_KEYS),
    "unprotect": boolean,
}


def _cache(node: Node, what: str, findings: Findings) -> Cache:
    return Cache(**fields(node, what, _CACHE, findings, "a mapping or a list of mappings"))


_caches = listed(_cache, _MOST_CACHES)


def caches(node: Node, what: str, findings: Findings) -> tuple[Cache, ...]:
    """``cache``: one or up to four; an empty mapping or list turns caching off."""
    if isinstance(node, nodes.Sequence):
        return _caches(node, what, findings)
    if isinstance(node, nodes.Mapping) and not node.entries:
        return ()
    return (_cache(node, what, findings),)
