"""Credentials for registries, from Docker configuration files and from jobs. Pure.

Source: Docker CLI, "Configuration file", ``auths``, ``credsStore`` and ``credHelpers``; Docker
Engine API, "Authentication"; GitLab Runner docs, "Precedence of Docker authorization resolving".
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from tracekeeper.engine.references import HUB, parse

HUB_SERVER = "https://index.docker.io/v1/"
"""What Docker Hub is called in configuration files, and by credential helpers."""
_SCHEME = re.compile(r"https?://", re.IGNORECASE)
_TOKEN_USER = "<token>"  # noqa: S105 - the helpers' word for a user that is none


class Login(msgspec.Struct, frozen=True):
    """What a registry is told. `identity_token` replaces name and password."""

    server: str
    username: str = ""
    password: str = ""
    identity_token: str = ""

    def __repr__(self) -> str:
        return f"Login({self.server!r})"

    @property
    def header(self) -> str:
        """The value of X-Registry-Auth."""
        fields = {
            "username": self.username,
            "password": self.password,
            "serveraddress": self.server,
        }
        if self.identity_token:
            fields["identitytoken"] = self.identity_token
        return base64.urlsafe_b64encode(msgspec.json.encode(fields)).decode()


class Helper(msgspec.Struct, frozen=True):
    """A credential helper by its `name` (``docker-credential-NAME``), and what to ask it for."""

    name: str
    server: str


class _Entry(msgspec.Struct):
    auth: str = ""
    username: str = ""
    password: str = ""
    identitytoken: str = ""


class _Configuration(msgspec.Struct):
    auths: dict[str, _Entry] = {}
    credsStore: str = ""  # noqa: N815 - the file's own name
    credHelpers: dict[str, str] = {}  # noqa: N815


class _Secret(msgspec.Struct, rename="pascal"):
    username: str = ""
    secret: str = ""


class Configuration:
    """A Docker ``config.json``."""

    def __init__(self, text: str) -> None:
        """Raises ValueError with a sentence for a text that is none; no part of it is in that."""
        try:
            file = msgspec.json.decode(text, type=_Configuration)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise ValueError("it is not the JSON of a Docker configuration") from None
        self._logins = {
            registry_path(server): (server, auth) for server, auth in file.auths.items()
        }
        self._helpers = {registry_path(key): (key, name) for key, name in file.credHelpers.items()}
        self._store = file.credsStore

    def find(self, path: str) -> Login | Helper | None:
        """What is known for the registry, or the part of one, `path`: a helper named for it wins,
        then what the file itself says, then the store, which is asked for whole registries.

        Raises ValueError for an entry that cannot be read.
        """
        if path in self._helpers:
            server, name = self._helpers[path]
            return Helper(_program(name), server)
        if path in self._logins:
            login = _login(*self._logins[path])
            if login is not None:
                return login
        if self._store and "/" not in path:
            return Helper(_program(self._store), HUB_SERVER if path == HUB else path)
        return None


def paths(image: str) -> Iterator[str]:
    """Where credentials for an image may be named, the nearest first: ``r.example/a/b``,
    ``r.example/a``, ``r.example``."""
    reference = parse(image)
    path = reference.name
    if reference.registry == HUB and not path.startswith(("docker.io/", "index.docker.io/")):
        path = f"{HUB}/{path}"
    path = registry_path(path)
    while path:
        yield path
        path = path.rpartition("/")[0]


def registry_path(server: str) -> str:
    """A registry's name in one form: the host in lower case, without scheme; what follows it is
    kept only where no scheme says that it is the path of an API."""
    bare = _SCHEME.sub("", server, count=1)
    host, slash, rest = bare.rstrip("/").partition("/")
    host = host.lower()
    if host == f"index.{HUB}":
        host = HUB
    whole = not slash or bare != server or (host == HUB and rest == "v1")
    return host if whole else f"{host}/{rest}"


def from_pairs(logins: Sequence[Login]) -> Mapping[str, Login]:
    """The logins of a job's payload by their registry; of two the first counts."""
    return {registry_path(login.server): login for login in reversed(logins)}


def helpers_answer(answer: bytes, server: str) -> Login | None:
    """What a credential helper printed for ``get``. Raises ValueError if it is no such answer.

    Source: docker/docker-credential-helpers, "Development": a name of ``<token>`` marks an
    identity token.
    """
    try:
        found = msgspec.json.decode(answer, type=_Secret)
    except msgspec.DecodeError:
        raise ValueError("its answer is not the JSON of credentials") from None
    if not found.secret:
        return None
    if found.username == _TOKEN_USER:
        return Login(server, identity_token=found.secret)
    return Login(server, found.username, found.secret)


def _program(name: str) -> str:
    """Raises ValueError for a helper's name that would lead elsewhere."""
    if not name or "/" in name:
        raise ValueError(f"the credential helper {name!r} is not a program's name")
    return name


def _login(server: str, entry: _Entry) -> Login | None:
    username, password = entry.username, entry.password
    if entry.auth:
        try:
            username, _, password = base64.b64decode(entry.auth).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise ValueError(f"its entry for {server} is not valid base64") from None
    if not (username or password or entry.identitytoken):
        return None
    return Login(server, username, password.rstrip("\0"), entry.identitytoken)
