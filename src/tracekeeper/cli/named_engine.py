"""The engine that a command's options name, else the one of the environment."""

import os
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from tracekeeper.engine.host import Host
    from tracekeeper.runner.docker_config import Loaded


class NamedEngine(msgspec.Struct, frozen=True):
    """An engine; `named_by` is the option, or the key of which file, that named it, empty if none
    did. `warnings` are sentences on what of the file is not acted on."""

    host: "Host"
    named_by: str = ""
    warnings: tuple[str, ...] = ()


def loaded_config(file: str | None) -> "Loaded | None":
    """What `--docker-config` names. Raises UsageError."""
    if not file:
        return None
    from tracekeeper.runner.docker_config import load

    return load(file)


def named_engine(url: str, context: str, loaded: "Loaded | None") -> NamedEngine:
    """The engine at `url` or of the docker context `context`, else of the file, else of the
    environment. Raises UsageError for what names no engine."""
    option = "--docker-host" if url else "--docker-context" if context else ""
    if loaded is None:
        from tracekeeper.engine.hosts import find_host

        return NamedEngine(find_host(os.environ, url=url, context=context), option)
    from tracekeeper.runner.docker_config import engine_host, without_tls

    host = engine_host(loaded, os.environ, url=url, context=context)
    key = f"host in {loaded.path}" if loaded.settings.config.host else ""
    warnings = (*loaded.warnings, *without_tls(loaded, host))
    return NamedEngine(host, option or key, warnings)
