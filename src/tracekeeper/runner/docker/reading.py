"""From the tables of a config.toml to a `DockerConfig`; every finding names its key. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from tracekeeper.runner.docker.config import (
    ConnectionConfig,
    DockerConfig,
    KeepaliveConfig,
    ServiceConfig,
)
from tracekeeper.runner.docker.runner import auth_of, unknown, warnings_of

SECTION = "[runners.docker]"
CONNECTION = "[runners.docker.connection]"
KEEPALIVE = "[runners.docker.connection.keepalive]"
SERVICES = "[[runners.docker.services]]"

_WORDS = {
    str: "text in quotes",
    int: "a whole number",
    float: "a number of seconds",
    bool: "true or false",
}


class Findings(msgspec.Struct, frozen=True):
    """What was found beside the values: sentences without the file's name."""

    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Reading(msgspec.Struct, frozen=True):
    """A section that was read. `auth` is DOCKER_AUTH_CONFIG of the runner's `environment`."""

    config: DockerConfig
    auth: str = ""
    findings: Findings = Findings()


class NoSection(ValueError):
    """There is no one section to take; the message says why, `names` which runners there are."""

    def __init__(self, message: str, names: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.names = names


def choose(document: Mapping[str, Any], name: str = "") -> Mapping[str, Any]:
    """The `[[runners]]` that has a `[runners.docker]`, and the `name` if one is given.

    A file may hold one `[runners]` alone. Raises NoSection where there is none, or more than one.
    """
    runners = document.get("runners")
    tables = runners if isinstance(runners, list) else [runners]
    found = [table for table in tables if isinstance(table, dict) and "docker" in table]
    names = [str(table.get("name", "")) for table in found]
    if name:
        found = [table for table in found if table.get("name") == name]
    if not found:
        whose = f" of a runner named {name!r}" if name else ""
        raise NoSection(f"has no {SECTION}{whose}", names)
    if len(found) > 1:
        raise NoSection(f"has {len(found)} of {SECTION}", names)
    return found[0]


def read(runner: Mapping[str, Any]) -> Reading:
    """The `[runners.docker]` of a runner's table."""
    errors: list[str] = []
    warnings: list[str] = []
    config = _Reader(errors, warnings).docker(runner["docker"])
    auth = auth_of(runner.get("environment"))
    warnings += warnings_of(runner, has_auth=bool(auth))
    return Reading(config, auth, Findings(tuple(errors), tuple(warnings)))


class _Reader:
    def __init__(self, errors: list[str], warnings: list[str]) -> None:
        self._errors = errors
        self._warnings = warnings

    def docker(self, table: object) -> DockerConfig:
        if not isinstance(table, dict):
            self._errors.append(f"{SECTION} is not a table")
            return DockerConfig()
        nested: dict[str, Any] = {
            "connection": self._connection(table.get("connection", {})),
            "services": tuple(self._services(table.get("services", []))),
        }
        rest = {name: value for name, value in table.items() if name not in nested}
        return DockerConfig(**nested, **self._values(DockerConfig, SECTION, rest))

    def _connection(self, table: object) -> ConnectionConfig:
        if not isinstance(table, dict):
            self._errors.append(f"{CONNECTION} is not a table")
            return ConnectionConfig()
        nested: dict[str, Any] = {}
        if isinstance(keepalive := table.get("keepalive"), dict):
            values = self._values(KeepaliveConfig, KEEPALIVE, keepalive)
            nested["keepalive"] = KeepaliveConfig(**values)
        rest = {name: value for name, value in table.items() if name not in nested}
        return ConnectionConfig(**nested, **self._values(ConnectionConfig, CONNECTION, rest))

    def _services(self, tables: object) -> Iterator[ServiceConfig]:
        if not isinstance(tables, list):
            self._errors.append(f"{SERVICES} is not a list of tables")
            return
        for table in tables:
            if not isinstance(table, dict) or not isinstance(table.get("name"), str):
                self._errors.append(f"{SERVICES} needs a name: the image, as text")
            else:
                yield ServiceConfig(**self._values(ServiceConfig, SERVICES, table))

    def _values(
        self, struct: type[msgspec.Struct], section: str, table: Mapping[str, object]
    ) -> dict[str, Any]:
        """The values of `struct`'s keys that are given and right; all else is a finding."""
        fields = {field.name: field for field in msgspec.structs.fields(struct)}
        found: dict[str, Any] = {}
        for name, value in table.items():
            if name not in fields:
                self._warnings.append(unknown(name, section, tuple(fields)))
                continue
            extra = meta(fields[name]).extra or {}
            if ignored := extra["ignored"]:
                self._warnings.append(
                    f"known, not acted on: {name} in {section}, because {ignored}"
                )
            try:
                found[name] = _checked(fields[name], value)
            except ValueError as error:
                self._errors.append(f"{name} in {section} {error}")
        return found


def meta(field: msgspec.structs.FieldInfo) -> msgspec.Meta:
    """What `key` says of a field."""
    said: msgspec.Meta = field.type.__metadata__[-1]
    return said


def wording(kind: Any) -> str:
    """What a value of a type is written like in TOML."""
    if get_origin(kind) is Annotated:
        plain, *metas = get_args(kind)
        limits = [meta for meta in metas if meta.ge is not None]
        return wording(plain) + "".join(map(_range, limits))
    if get_origin(kind) is Literal:
        return " or ".join(f'"{choice}"' for choice in get_args(kind) if choice)
    if get_origin(kind) is tuple:
        return f"a list of {wording(get_args(kind)[0])}"
    if get_origin(kind) is dict:
        return f"a table of {wording(get_args(kind)[1])}"
    if isinstance(kind, UnionType) or get_origin(kind) is Union:
        return " or ".join(wording(each) for each in get_args(kind) if each is not NoneType)
    return _WORDS.get(kind, "a table of whole numbers")


def _range(limits: msgspec.Meta) -> str:
    return f", {limits.ge} or more" if limits.le is None else f", {limits.ge} to {limits.le}"


def _checked(field: msgspec.structs.FieldInfo, value: object) -> object:
    """The value in the field's type. Raises ValueError with what would be right."""
    try:
        converted = msgspec.convert(value, field.type)
    except msgspec.ValidationError:
        raise ValueError(f"has a wrong value: write {wording(field.type)}") from None
    check = (meta(field).extra or {})["check"]
    if check is not None and converted:
        try:
            check(converted)
        except ValueError as error:
            subject = f"{converted!r} " if isinstance(converted, str | float) else ""
            raise ValueError(f"has a wrong value: {subject}{error}") from None
    return converted
