"""Entries of `volumes`, and the volumes that are made for those that name only a directory. Pure.

``/cache`` is a cache volume: one of the project's own, which later jobs find as it was left.
``/host/dir:/dir[:mode]`` and ``name:/dir[:mode]`` are what ``docker run -v`` makes of them.
Source: GitLab Runner docs, "Volumes in the [runners.docker] section".
"""

import re
from collections.abc import Iterable, Mapping
from hashlib import sha256

import msgspec

from tracekeeper.pipeline.variables import expand

MODES = frozenset(
    [
        "ro",
        "rw",
        "z",
        "Z",
        "nocopy",
        "shared",
        "slave",
        "private",
        "rshared",
        "rslave",
        "rprivate",
        "consistent",
        "cached",
        "delegated",
        "O",
        "o",
    ]
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
FORM = "write /cache, /host/dir:/dir[:ro] or name:/dir[:ro]"


class Volume(msgspec.Struct, frozen=True):
    """A place in the container, and what is mounted there; `source` is empty for a cache."""

    destination: str
    source: str = ""
    mode: str = ""

    @property
    def bind(self) -> str:
        """The entry of ``HostConfig.Binds``."""
        return ":".join(filter(None, (self.source, self.destination, self.mode)))


class Owner(msgspec.Struct, frozen=True):
    """Whose a cache volume is: `id` is what shares it, `project` tells people whose that is."""

    id: str = ""
    project: str = ""


NOBODY = Owner()


def parse(text: str) -> Volume:
    """Take an entry apart. Raises ValueError with what would be right."""
    parts = text.split(":")
    mode = parts.pop() if len(parts) > 1 and _is_mode(parts[-1]) else ""
    if len(parts) > 2:
        raise ValueError(f"is not a volume: {FORM}")
    source, destination = parts if len(parts) == 2 else ("", parts[0])
    if source and not source.startswith("/") and not _NAME.fullmatch(source):
        raise ValueError(f"has a source that is neither a path nor a volume's name: {FORM}")
    if len(parts) == 2 and not source:
        raise ValueError(f"has no source: {FORM}")
    if not destination.startswith(("/", "$")):
        raise ValueError(f"has no absolute path in the container: {FORM}")
    return Volume(destination, source, mode)


def mounted(entries: Iterable[str], variables: Mapping[str, str]) -> tuple[Volume, ...]:
    """The volumes of a job, variables in their destinations expanded.

    Raises ValueError for a destination that is ``/``, not absolute, or there twice.
    """
    seen: dict[str, Volume] = {}
    for volume in map(parse, entries):
        place = _clean(expand(volume.destination, variables))
        if not place.startswith("/") or place == "/":
            raise ValueError(f"has the destination {place!r}: a directory below / is needed")
        if place in seen:
            raise ValueError(f"has two volumes for {place}: leave one of them out")
        seen[place] = Volume(place, volume.source, volume.mode)
    return tuple(seen.values())


def cache_name(owner: str, destination: str) -> str:
    """The name of the cache volume of `owner` (what says whose it is) for a directory."""
    return f"tracekeeper-cache-{digest(f'{owner}:{destination}')}"


def digest(text: str) -> str:
    """32 hexadecimal digits that stand for `text`."""
    return sha256(text.encode()).hexdigest()[:32]


def _is_mode(text: str) -> bool:
    return not text.startswith(("/", "$")) and all(part in MODES for part in text.split(","))


def _clean(path: str) -> str:
    return path.rstrip("/") or path[:1]
