"""The HTTP proxy that the environment names for a host, by the rules that Go's programs, and so the
Docker CLI, follow. Pure.

Source: golang.org/x/net/http/httpproxy. HTTPS_PROXY is for TLS, HTTP_PROXY for the rest; capitals
win over small letters; loopback is never proxied. NO_PROXY lists hosts, addresses and networks,
with or without a port: ``example.com`` means it and what is below it, ``.example.com`` only what is
below it. ALL_PROXY, which the Docker CLI does not know, counts where neither of the others is set,
and for ssh, if it is an HTTP proxy.
"""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["tls", "plain", "ssh"]

_VARIABLES: Mapping[Kind, str] = {"tls": "HTTPS_PROXY", "plain": "HTTP_PROXY"}


def environment_proxy(environ: Mapping[str, str], kind: Kind, host: str, port: int) -> str:
    """The URL of the proxy on the way to `host`, empty if there is none."""
    url = _variable(environ, _VARIABLES[kind]) if kind in _VARIABLES else ""
    if not url:
        url = _variable(environ, "ALL_PROXY")
        if not url.startswith(("http://", "https://")):
            return ""
    if not url or not _is_proxied(host.lower(), port, _variable(environ, "NO_PROXY")):
        return ""
    return url if "://" in url else f"http://{url}"


def _variable(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name, "") or environ.get(name.lower(), "")


def _is_proxied(host: str, port: int, exceptions: str) -> bool:
    address = _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return False
    return not any(_covers(entry, host, address, port) for entry in _entries(exceptions))


def _entries(exceptions: str) -> Iterator[str]:
    for entry in exceptions.lower().split(","):
        if entry := entry.strip():
            yield entry


def _covers(entry: str, host: str, address: IPv4Address | IPv6Address | None, port: int) -> bool:
    if entry == "*":
        return True
    if "/" in entry:
        return address is not None and _in_network(entry, address)
    name, of_port = _split(entry)
    if of_port and of_port != str(port):
        return False
    if address is not None:
        return address == _address(name)
    name = name[1:] if name.startswith("*.") else name
    return bool(name) and (host == name or host.endswith(name if name[0] == "." else f".{name}"))


def _split(entry: str) -> tuple[str, str]:
    """``HOST:PORT`` apart; an IPv6 address with a port is in brackets."""
    name, colon, port = entry.rpartition(":")
    if not colon or (":" in name and not name.startswith("[")):
        return entry, ""
    return name.removeprefix("[").removesuffix("]"), port


def _in_network(entry: str, address: IPv4Address | IPv6Address) -> bool:
    try:
        return address in ip_network(entry, strict=False)
    except ValueError:
        return False


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
