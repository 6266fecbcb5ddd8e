"""Docker contexts: engines that the Docker CLI knows by name.

Source: Docker docs, "Docker contexts"; the layout of the store (``meta`` and ``tls``, each by the
SHA-256 of the name) as Docker CLI 28.2 writes it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from tracekeeper.engine.host import Host, Tls
from tracekeeper.errors import UsageError

LOCAL_SOCKET = "unix:///var/run/docker.sock"
DEFAULT_CONTEXT = "default"
"""The context that means: what the environment says."""

T = TypeVar("T")


class _Configuration(msgspec.Struct, frozen=True, rename="camel"):
    current_context: str = ""


class _Endpoint(msgspec.Struct, frozen=True):
    host: str = msgspec.field(name="Host", default="")
    skip_verify: bool = msgspec.field(name="SkipTLSVerify", default=False)


class _Endpoints(msgspec.Struct, frozen=True):
    docker: _Endpoint = _Endpoint()


class _Context(msgspec.Struct, frozen=True):
    name: str = msgspec.field(name="Name", default="")
    endpoints: _Endpoints = msgspec.field(name="Endpoints", default=_Endpoints())


def docker_directory(environ: Mapping[str, str]) -> Path:
    """Where the Docker CLI keeps what it knows."""
    if directory := environ.get("DOCKER_CONFIG", ""):
        return Path(directory)
    return Path(environ.get("HOME") or Path.home()) / ".docker"


def current_context(directory: Path) -> str:
    """The context that `docker context use` chose; empty if none. Raises UsageError."""
    found = _read(directory / "config.json", _Configuration)
    return found.current_context if found else ""


def context_names(directory: Path) -> list[str]:
    """All contexts that there are, sorted. Raises UsageError for one that cannot be read."""
    files = (directory / "contexts" / "meta").glob("*/meta.json")
    found = filter(None, (_read(file, _Context) for file in files))
    return sorted({DEFAULT_CONTEXT, *(context.name for context in found if context.name)})


def context_host(directory: Path, name: str) -> Host:
    """The engine of the context `name`. Raises UsageError if there is no such context."""
    from hashlib import sha256

    key = sha256(name.encode()).hexdigest()
    context = _read(directory / "contexts" / "meta" / key / "meta.json", _Context)
    if context is None:
        raise UsageError(
            f"there is no docker context {name!r} in {directory}",
            hint="`docker context ls` lists them; an engine can be named by its URL too",
        )
    endpoint = context.endpoints.docker
    url = endpoint.host or LOCAL_SOCKET
    tls = tls_from_directory(
        directory / "contexts" / "tls" / key / "docker", verify=not endpoint.skip_verify
    )
    # As the CLI has it, files or SkipTLSVerify turn TLS on; what they do not turn on is https.
    scheme = url.partition("://")[0]
    wanted = scheme == "https" or (scheme in {"tcp", "http"} and tls != Tls())
    return Host(url, tls=tls if wanted else None)


def tls_from_directory(path: Path, *, verify: bool = True) -> Tls:
    """TLS with the ``ca.pem``, ``cert.pem`` and ``key.pem`` that a directory has."""
    files = (path / "ca.pem", path / "cert.pem", path / "key.pem")
    ca, cert, key = (str(file) if file.exists() else "" for file in files)
    return Tls(ca=ca, cert=cert, key=key, verify=verify)


def _read(path: Path, kind: type[T]) -> T | None:
    """What the JSON of a file says, None if there is no file."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or error}",
            hint="mend it, or name the engine by its URL",
        ) from None
