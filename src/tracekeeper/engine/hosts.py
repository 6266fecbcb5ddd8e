"""Which engine is meant: an option, the environment, a docker context or the local socket, as the
Docker CLI has it.

Source: Docker CLI reference, "Environment variables", and what Docker CLI 28.2 dials. A variable
that is set but empty counts as not set; DOCKER_TLS_VERIFY is on by any other value, `0` too.
DOCKER_CERT_PATH alone does not turn TLS on. What differs from the CLI is in docs/hosts.md.
"""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from msgspec.structs import replace

from tracekeeper.engine.contexts import (
    DEFAULT_CONTEXT,
    LOCAL_SOCKET,
    context_host,
    current_context,
    docker_directory,
    tls_from_directory,
)
from tracekeeper.engine.host import PLAIN_PORT, SSH_PORT, TLS_PORT, Host, Tls, shown
from tracekeeper.errors import UsageError

__all__ = ["LOCAL", "LOCAL_SOCKET", "LOCAL_TLS", "find_host", "tls_from_directory"]

LOCAL = Host(LOCAL_SOCKET)
LOCAL_TLS = "tcp://localhost:2376"
"""What is dialled if TLS is asked for and no host is named."""


def find_host(environ: Mapping[str, str], *, url: str = "", context: str = "") -> Host:
    """The engine at `url`, or of the docker context `context`, else the one that the environment
    names; with the environment's proxy and TLS key log.

    Raises UsageError where what names it cannot be used.
    """
    if url and context:
        raise UsageError(
            f"both {shown(url)} and the docker context {context!r} name an engine",
            hint="give one of them",
        )
    directory = docker_directory(environ)
    if not (url or context or environ.get("DOCKER_HOST")):
        context = environ.get("DOCKER_CONTEXT", "") or current_context(directory)
    if context in {"", DEFAULT_CONTEXT}:
        host = _environment_host(environ, url or environ.get("DOCKER_HOST", ""), directory)
    else:
        host = context_host(directory, context)
    return _with_environment(host, environ)


def _environment_host(environ: Mapping[str, str], url: str, directory: Path) -> Host:
    verify = bool(environ.get("DOCKER_TLS_VERIFY"))
    wanted = verify or bool(environ.get("DOCKER_TLS"))
    url = _completed(url.strip()) or (LOCAL_TLS if wanted else LOCAL_SOCKET)
    path = Path(environ.get("DOCKER_CERT_PATH") or directory)
    match url.partition("://")[0]:
        case "https":
            return Host(url, tls=tls_from_directory(path))
        case "tcp" if wanted:
            return Host(url, tls=_with_authority(path, verify=verify))
        case _:
            return Host(url)


def _completed(url: str) -> str:
    """The short forms that the Docker CLI takes."""
    match url:
        case "unix://":
            return LOCAL_SOCKET
        case "tcp://":
            return "tcp://localhost"
        case _:
            return f"tcp://{url}" if url and "://" not in url else url


def _with_authority(path: Path, *, verify: bool) -> Tls:
    tls = tls_from_directory(path, verify=verify)
    if not tls.ca:
        raise UsageError(
            f"DOCKER_TLS_VERIFY or DOCKER_TLS asks for TLS, but there is no {path / 'ca.pem'}",
            hint="DOCKER_CERT_PATH names the directory of ca.pem, cert.pem and key.pem",
        )
    return tls


def _with_environment(host: Host, environ: Mapping[str, str]) -> Host:
    keylog = environ.get("SSLKEYLOGFILE", "")
    if host.tls is not None and keylog:
        host = replace(host, tls=replace(host.tls, keylog=keylog))
    return replace(host, proxy=_proxy(host, environ))


def _proxy(host: Host, environ: Mapping[str, str]) -> str:
    try:
        parts = urlsplit(host.url)
        name, port = parts.hostname, parts.port
    except ValueError:
        return ""  # it is refused where it is dialled
    if not name:
        return ""
    from tracekeeper.engine.environment_proxy import environment_proxy

    if parts.scheme == "ssh":
        return environment_proxy(environ, "ssh", name, port or SSH_PORT)
    if host.tls is None:
        return environment_proxy(environ, "plain", name, port or PLAIN_PORT)
    return environment_proxy(environ, "tls", name, port or TLS_PORT)
