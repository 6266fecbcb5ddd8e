"""The values that `[runners.docker]` writes as text, as the Engine's API wants them. Pure.

Each function raises ValueError with a sentence that says what would be right. The forms are those
of the options of ``docker run`` (Docker CLI reference), which gitlab-runner's documentation names.
Modules that few values need are imported where they are used: a job without them starts sooner.
"""

import math
import re
from collections.abc import Iterable

_SIZE = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?) ?(?P<unit>[kmgtp]?)i?b?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_MAC = re.compile(r"[0-9a-f]{2}([:-])[0-9a-f]{2}(?:\1[0-9a-f]{2}){4}", re.IGNORECASE)
_DEVICE_MODE = re.compile(r"[rwm]{1,3}")
_CGROUP_RULE = re.compile(r"[acb] (?:[0-9]+|\*):(?:[0-9]+|\*) [rwm]{1,3}")
UNLIMITED = -1


def size(text: str) -> int:
    """Bytes: ``512m``, ``1.5g``, ``4096``; units are powers of 1024."""
    from fractions import Fraction

    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError("is not a size: write a number with b, k, m or g, such as 512m")
    return int(Fraction(match["number"]) * 1024 ** _POWERS[match["unit"].lower()])


def swap(text: str) -> int:
    """Bytes of memory and swap together; ``-1`` is no limit of swap."""
    return UNLIMITED if text == "-1" else size(text)


def nano_cpus(text: str) -> int:
    """Billionths of a CPU: ``2``, ``1.5``, ``3/2``."""
    from fractions import Fraction

    try:
        cpus = Fraction(text)
    except (ValueError, ZeroDivisionError):
        cpus = Fraction(-1)
    if cpus < 0:
        raise ValueError("is not a number of CPUs: write it as text, such as 1.5")
    return int(cpus * 10**9)


def device(text: str) -> dict[str, str]:
    """A device of the host: ``HOST[:CONTAINER[:MODE]]``."""
    host, *rest = text.split(":")
    container, mode = [*rest, *("", "rwm")[len(rest) :]][:2]
    if len(rest) > 2 or not host.startswith("/") or not _DEVICE_MODE.fullmatch(mode):
        raise ValueError("is not HOST[:CONTAINER[:MODE]]: write /dev/fuse or /dev/sda:/dev/xvda:r")
    return {
        "PathOnHost": host,
        "PathInContainer": container or host,
        "CgroupPermissions": mode,
    }


def cgroup_rule(text: str) -> str:
    """A rule for devices: ``TYPE MAJOR:MINOR MODE``."""
    if not _CGROUP_RULE.fullmatch(text):
        raise ValueError("is not TYPE MAJOR:MINOR MODE: write c 42:* rwm")
    return text


def gpus(text: str) -> dict[str, object]:
    """A request for GPUs: ``all``, a number, or ``device=…``, ``count=…``, ``driver=…``,
    ``capabilities=…`` and ``options=…`` joined with commas; a value with commas is in quotes."""
    request: dict[str, object] = {}
    capabilities: list[str] = []
    for field in _fields(text):
        name, equals, value = field.partition("=")
        if not equals:
            name, value = "count", name
        if name == "count":
            request["Count"] = _count(value)
        elif name == "device":
            request["DeviceIDs"] = _fields(value)
        elif name == "driver":
            request["Driver"] = value
        elif name == "capabilities":
            capabilities += _fields(value)
        elif name == "options":
            request["Options"] = dict(_pair(option) for option in _fields(value))
        else:
            raise ValueError(f"has the unknown part {name}: write all, 2 or device=0")
    if "Count" in request and "DeviceIDs" in request:
        raise ValueError("has both a count and devices: write one of them")
    if "DeviceIDs" not in request:
        request.setdefault("Count", 1)
    return request | {"Capabilities": [[*capabilities, "gpu"]]}


def ulimit(name: str, text: str) -> dict[str, object]:
    """A limit of processes: ``SOFT[:HARD]``; -1 is none."""
    soft, _, hard = text.partition(":")
    try:
        limits = {"Soft": int(soft), "Hard": int(hard or soft)}
    except ValueError:
        raise ValueError("is not SOFT[:HARD]: write 1024 or 1024:4096") from None
    if limits["Hard"] != UNLIMITED and not UNLIMITED < limits["Soft"] <= limits["Hard"]:
        raise ValueError("has a soft limit above its hard one: write SOFT:HARD, such as 1024:4096")
    return {"Name": name, **limits}


def extra_host(text: str) -> str:
    """An entry for /etc/hosts: ``NAME:ADDRESS``. The engine knows ``host-gateway``."""
    name, _, address = text.partition(":")
    if not name or not address:
        raise ValueError("is not NAME:ADDRESS: write registry.local:10.0.0.5")
    return text


def address(text: str) -> str:
    """An IP address."""
    from ipaddress import ip_address

    try:
        return str(ip_address(text))
    except ValueError:
        raise ValueError("is not an IP address: write one such as 10.0.0.53") from None


def mac(text: str) -> str:
    """A hardware address."""
    if not _MAC.fullmatch(text):
        raise ValueError("is not a MAC address: write one such as 92:d0:c6:0a:29:33")
    return text


def variable(text: str) -> tuple[str, str]:
    """``KEY=VALUE``."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise ValueError("is not KEY=VALUE: write MODE=test")
    return key, value


def finite(seconds: float) -> float:
    """A time that ends."""
    if not math.isfinite(seconds):
        raise ValueError("has no end: write a number of seconds, such as 300")
    return seconds


def one_of(*allowed: str) -> "Choice":
    """A check for one of a few words."""
    return Choice(allowed)


class Choice:
    """Takes the words `allowed`, and no text at all."""

    def __init__(self, allowed: Iterable[str]) -> None:
        self.allowed = tuple(allowed)

    def __call__(self, text: str) -> str:
        """`text` if it is allowed."""
        if text and text not in self.allowed:
            raise ValueError(f"is not known: write {_listed(self.allowed)}")
        return text


def _listed(words: tuple[str, ...]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _fields(text: str) -> list[str]:
    import csv

    try:
        rows = list(csv.reader([text], strict=True))
    except csv.Error:
        raise ValueError("has a quote that does not end") from None
    fields = [field.strip() for row in rows for field in row]
    if not all(fields) or not fields:
        raise ValueError("has an empty part: write all, 2 or device=0")
    return fields


def _count(text: str) -> int:
    if text == "all":
        return UNLIMITED
    if not text.isdecimal():
        raise ValueError(f"has the count {text}: write all or a number")
    return int(text)


def _pair(text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    return key, value
