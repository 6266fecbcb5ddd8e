"""Credentials for registries, from a Docker configuration file. Pure.

Source: Docker CLI configuration file, ``auths``; Docker Engine API, "Authentication".
"""

import base64
import binascii

import msgspec

from tracekeeper.engine.references import HUB

_HUB_KEYS = ("https://index.docker.io/v1/", "index.docker.io", "docker.io")


class _Entry(msgspec.Struct):
    auth: str = ""
    username: str = ""
    password: str = ""
    identitytoken: str = ""


class _Configuration(msgspec.Struct):
    auths: dict[str, _Entry] = {}


def registry_auth(configuration: str, registry: str) -> str:
    """The value of X-Registry-Auth for a registry, from the text of a Docker ``config.json``.

    Empty if the configuration knows nothing of that registry. Raises ValueError with a sentence
    for a text that is no such configuration; no part of it is in the sentence.
    """
    try:
        auths = msgspec.json.decode(configuration, type=_Configuration).auths
    except msgspec.DecodeError:
        raise ValueError("it is not the JSON of a Docker configuration") from None
    for key in _keys(registry):
        if key in auths:
            return _header(auths[key], key)
    return ""


def _keys(registry: str) -> tuple[str, ...]:
    if registry == HUB:
        return _HUB_KEYS
    return (registry, f"https://{registry}", f"https://{registry}/", f"http://{registry}")


def _header(entry: _Entry, server: str) -> str:
    username, password = entry.username, entry.password
    if entry.auth:
        try:
            username, _, password = base64.b64decode(entry.auth).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise ValueError(f"its entry for {server} is not valid base64") from None
    fields = {"username": username, "password": password, "serveraddress": server}
    if entry.identitytoken:
        fields["identitytoken"] = entry.identitytoken
    return base64.urlsafe_b64encode(msgspec.json.encode(fields)).decode()
