"""Networks and volumes of an engine. Every call may raise EngineError."""

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import quote

import msgspec

from tracekeeper.engine.client import Engine
from tracekeeper.engine.containers import delete, label_filter
from tracekeeper.engine.models import Created, Listed

_NOTHING: Mapping[str, object] = MappingProxyType({})


class Networks:
    """The networks of one engine; `network` is an id or a name."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def create(
        self, name: str, *, labels: Mapping[str, str], more: Mapping[str, object] = _NOTHING
    ) -> str:
        """Create a bridge of its own, on which containers find each other by alias; its id.
        `more` are further fields of the API's description of a network."""
        own = {"Name": name, "Driver": "bridge", "CheckDuplicate": True, "Labels": dict(labels)}
        config = {**more, **own}
        created = await self._engine.call("POST", "/networks/create", Created, json=config)
        return created.id

    async def remove(self, network: str) -> None:
        """Remove it; no harm if it is gone. Refused while a container is connected."""
        await delete(self._engine, f"/networks/{quote(network, safe='')}")

    async def list(self, *labels: str) -> "list[Listed]":
        """All networks that have these labels."""
        query = {"filters": label_filter(labels)}
        return await self._engine.call("GET", "/networks", _List, query=query)


class _Volumes(msgspec.Struct, rename="pascal"):
    volumes: list[Listed] | None = None


class Volumes:
    """The volumes of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def create(
        self, name: str, *, labels: Mapping[str, str], driver: str, options: Mapping[str, str]
    ) -> str:
        """Create a volume, or find the one of that name as it is; its name. `driver` empty is the
        engine's own."""
        config = {
            "Name": name,
            "Labels": dict(labels),
            "Driver": driver or "local",
            "DriverOpts": dict(options),
        }
        created = await self._engine.call("POST", "/volumes/create", Created, json=config)
        return created.name

    async def remove(self, name: str) -> None:
        """Remove it; no harm if it is gone. Refused while a container uses it."""
        await delete(self._engine, f"/volumes/{quote(name, safe='')}")

    async def list(self, *labels: str) -> "list[Listed]":
        """All volumes that have these labels."""
        query = {"filters": label_filter(labels)}
        answer = await self._engine.call("GET", "/volumes", _Volumes, query=query)
        return answer.volumes or []


_List = list[Listed]
