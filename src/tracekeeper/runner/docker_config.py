"""A config.toml's `[runners.docker]` from the disk, and the engine that it means.

gitlab-runner decodes its file by the keys that it knows and passes over all others (its
`common/config.go`, version 19.4), so `[runners.docker.connection]` disturbs it nowhere. It leaves
such a table out when it writes the file itself, as `gitlab-runner register` does.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tracekeeper.engine.contexts import docker_directory
from tracekeeper.engine.errors import TlsFailure
from tracekeeper.engine.host import Host, Tls, shown
from tracekeeper.engine.hosts import find_host
from tracekeeper.errors import UsageError
from tracekeeper.runner.docker.config import ConnectionConfig, DockerConfig, DockerSettings
from tracekeeper.runner.docker.reading import CONNECTION, SECTION, NoSection, choose, read
from tracekeeper.sockets.options import DEFAULT, Keepalive

_BUILT_IN_SECCOMP = ("unconfined", "builtin")


class Loaded(msgspec.Struct, frozen=True):
    """What the file at `path` says, and sentences on what of it is not acted on."""

    path: Path
    settings: DockerSettings
    warnings: tuple[str, ...] = ()


def load(file: str) -> Loaded:
    """Read `file`, a path, or ``PATH:NAME`` for the runner of that name where there are several.

    Raises UsageError that names file, key and what would be right.
    """
    path, name = _path_and_name(file)
    document = _document(path)
    try:
        runner = choose(document, name)
    except NoSection as error:
        raise UsageError(f"{path} {error}", hint=_hint(path, error.names)) from None
    reading = read(runner)
    errors, unused = reading.findings.errors, reading.findings.warnings
    if errors:
        lines = "\n  ".join((*errors, *unused))
        raise UsageError(f"{path} cannot be used:\n  {lines}")
    warnings = (*unused, *_without_effect(reading.config))
    return Loaded(
        path,
        DockerSettings(_with_files(reading.config), reading.auth),
        tuple(f"{path}: {text}" for text in warnings),
    )


def engine_host(
    loaded: Loaded, environ: Mapping[str, str], *, url: str = "", context: str = ""
) -> Host:
    """The engine at `url` or of `context`, else the one of the file, else the environment's; in any
    case with the settings of `connection`. Raises UsageError."""
    config = loaded.settings.config
    if config.host and not (url or context):
        host = _named_host(loaded, environ)
    else:
        host = find_host(environ, url=url, context=context)
    if host.tls is not None:
        _check_tls(loaded)
    return connected_as(host, config.connection)


def without_tls(loaded: Loaded, host: Host) -> Iterator[str]:
    """Sentences on what of the file has no effect because `host` is spoken to without TLS."""
    connection = loaded.settings.config.connection
    given = (connection.tls_ciphers, connection.tls_max_version, connection.tls_keylog)
    names = ("tls_ciphers", "tls_max_version", "tls_keylog")
    for name, value in zip(names, given, strict=True):
        if value and host.tls is None:
            yield (
                f"{loaded.path}: known, not acted on: {name} in {CONNECTION}, because"
                f" {shown(host.url)} is spoken to without TLS"
            )


def connected_as(host: Host, connection: ConnectionConfig) -> Host:
    """`host` with what `[runners.docker.connection]` says of it."""
    given: dict[str, object] = {
        "keepalive": _keepalive(connection),
        "idle": connection.idle,
        "patience": host.patience if connection.patience is None else connection.patience,
        "preview": host.preview if connection.preview is None else connection.preview,
        "proxy": connection.proxy or host.proxy,
    }
    if host.tls is not None:
        given["tls"] = msgspec.structs.replace(
            host.tls,
            ciphers=connection.tls_ciphers or host.tls.ciphers,
            max_version=connection.tls_max_version or host.tls.max_version,
            keylog=connection.tls_keylog or host.tls.keylog,
        )
    return msgspec.structs.replace(host, **given)


def _keepalive(connection: ConnectionConfig) -> Keepalive | None:
    chosen = connection.keepalive
    if isinstance(chosen, bool):
        return DEFAULT if chosen else None
    return Keepalive(chosen.idle, chosen.interval, chosen.count, chosen.user_timeout)


def _named_host(loaded: Loaded, environ: Mapping[str, str]) -> Host:
    """The engine of `host`. Raises UsageError where it wants TLS, and there is no CA for it."""
    config = loaded.settings.config
    directory = Path(config.tls_cert_path or docker_directory(environ))
    authority = directory / "ca.pem"
    if _wants_tls(config) and not authority.exists():
        raise UsageError(
            f"{loaded.path}: tls_verify in {SECTION} asks for TLS, but there is no {authority}",
            hint=f"tls_cert_path in {SECTION} names the directory of ca.pem, cert.pem and key.pem",
        )
    return find_host(_as_environment(config, environ))


def _wants_tls(config: DockerConfig) -> bool:
    """Whether `tls_verify` acts on `host`: not where its scheme says that there is no TLS, and
    https has authorities of the system."""
    scheme, separator, _ = config.host.partition("://")
    return config.tls_verify and (not separator or scheme == "tcp")


def _check_tls(loaded: Loaded) -> None:
    """Raises UsageError for what `connection` says of TLS and cannot be done."""
    from tracekeeper.engine.tls import tls_context

    connection = loaded.settings.config.connection
    for name, tls in (
        ("tls_ciphers", Tls(verify=False, ciphers=connection.tls_ciphers)),
        ("tls_keylog", Tls(verify=False, keylog=connection.tls_keylog)),
    ):
        try:
            tls_context(tls)
        except TlsFailure as error:
            message = f"{loaded.path}: {error.message} ({name} in {CONNECTION})"
            raise UsageError(message) from None


def _as_environment(config: DockerConfig, environ: Mapping[str, str]) -> Mapping[str, str]:
    """The three keys as the variables that they are named after in gitlab-runner."""
    unset = ("DOCKER_CONTEXT", "DOCKER_TLS")
    kept = {name: value for name, value in environ.items() if name not in unset}
    return {
        **kept,
        "DOCKER_HOST": config.host,
        "DOCKER_CERT_PATH": config.tls_cert_path,
        "DOCKER_TLS_VERIFY": "1" if config.tls_verify else "",
    }


def _path_and_name(file: str) -> tuple[Path, str]:
    path, colon, name = file.rpartition(":")
    if colon and not Path(file).exists():
        return Path(path), name
    return Path(file), ""


def _document(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} cannot be read: it is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}") from None


def _hint(path: Path, names: Sequence[str]) -> str:
    if names:
        return f"name one of its runners, such as {path}:{names[0]}"
    return f"write its keys below a line {SECTION}"


def _without_effect(config: DockerConfig) -> list[str]:
    """Keys that others keep from having an effect."""
    said = []
    if config.tls_verify and not config.host:
        said.append(f"known, not acted on: tls_verify in {SECTION}, because host is not set")
    elif config.tls_verify and not config.host.startswith("https:") and not _wants_tls(config):
        scheme = config.host.partition("://")[0]
        said.append(
            f"known, not acted on: tls_verify in {SECTION}, because {scheme}:// has no TLS; tcp://"
            " and https:// have"
        )
    if config.tls_cert_path and not (config.tls_verify or config.host.startswith("https:")):
        said.append(
            f"known, not acted on: tls_cert_path in {SECTION}, because tls_verify is not set"
        )
    return said


def _with_files(config: DockerConfig) -> DockerConfig:
    """`config` with the contents of the files that its values name. Raises UsageError."""
    return msgspec.structs.replace(
        config,
        cache_dir=os.path.abspath(config.cache_dir) if config.cache_dir else "",
        security_opt=tuple(map(_seccomp, config.security_opt)),
        services_security_opt=tuple(map(_seccomp, config.services_security_opt)),
    )


def _seccomp(option: str) -> str:
    key, _, value = option.partition("=")
    if key != "seccomp" or value in _BUILT_IN_SECCOMP or value.startswith("{"):
        return option
    try:
        profile = Path(value).read_text(encoding="utf-8")
        msgspec.json.decode(profile)
    except OSError as error:
        raise UsageError(f"{value}, named by security_opt in {SECTION}: {error.strerror}") from None
    except (UnicodeDecodeError, msgspec.DecodeError):
        raise UsageError(f"{value}, named by security_opt in {SECTION}, is not JSON") from None
    return f"seccomp={profile}"
