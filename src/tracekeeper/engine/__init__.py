"""A client for the Docker Engine API that knows a broken connection from a finished one.

What is pure (frames, chunked, marker, position, follow, references) does no I/O; transport dials,
http speaks, client and its parts know the API. The names below are the public interface
(docs/engine-api.md). They are imported when they are asked for, because a run without containers
must not pay for asyncio and an HTTP parser; inside this project modules are imported instead.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracekeeper.engine.caution import cautions
    from tracekeeper.engine.client import Engine
    from tracekeeper.engine.errors import (
        ConnectionLost,
        EngineRefused,
        EngineUnreachable,
        TlsFailure,
    )
    from tracekeeper.engine.follow import Ask, Follow, Read
    from tracekeeper.engine.host import Host, Tls
    from tracekeeper.engine.hosts import find_host
    from tracekeeper.errors import EngineError
    from tracekeeper.sockets.options import Keepalive

__all__ = [
    "Ask",
    "ConnectionLost",
    "Engine",
    "EngineError",
    "EngineRefused",
    "EngineUnreachable",
    "Follow",
    "Host",
    "Keepalive",
    "Read",
    "Tls",
    "TlsFailure",
    "cautions",
    "find_host",
]

_MODULES = {
    "Ask": "tracekeeper.engine.follow",
    "ConnectionLost": "tracekeeper.engine.errors",
    "Engine": "tracekeeper.engine.client",
    "EngineError": "tracekeeper.errors",
    "EngineRefused": "tracekeeper.engine.errors",
    "EngineUnreachable": "tracekeeper.engine.errors",
    "Follow": "tracekeeper.engine.follow",
    "Host": "tracekeeper.engine.host",
    "Keepalive": "tracekeeper.sockets.options",
    "Read": "tracekeeper.engine.follow",
    "Tls": "tracekeeper.engine.host",
    "TlsFailure": "tracekeeper.engine.errors",
    "cautions": "tracekeeper.engine.caution",
    "find_host": "tracekeeper.engine.hosts",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
