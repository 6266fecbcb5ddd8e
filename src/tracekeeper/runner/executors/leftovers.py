"""What a run that was killed left on an engine, found by label and removed."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterable

from tracekeeper.engine.client import Engine
from tracekeeper.engine.models import Listed

DATA_LABEL = "tracekeeper.data"
"""The data directory's UUID."""
RUN_LABEL = "tracekeeper.run"
JOB_LABEL = "tracekeeper.job"


async def remove_leftovers(engine: Engine, data_id: str, *, keep: Collection[str] = ()) -> int:
    """Remove every container, network and volume that a run of this data directory made, but
    those of the runs `keep`, which are alive. Returns how many there were. Raises EngineError."""
    label = f"{DATA_LABEL}={data_id}"

    def left(things: Iterable[Listed]) -> list[str]:
        return [
            thing.id or thing.name
            for thing in things
            if (thing.labels or {}).get(RUN_LABEL) not in keep
        ]

    removed = await _remove(engine.containers.remove, left(await engine.containers.list(label)))
    removed += await _remove(engine.networks.remove, left(await engine.networks.list(label)))
    removed += await _remove(engine.volumes.remove, left(await engine.volumes.list(label)))
    return removed


async def _remove(
    remove: Callable[[str], Coroutine[object, object, None]], things: list[str]
) -> int:
    await asyncio.gather(*map(remove, things))
    return len(things)
