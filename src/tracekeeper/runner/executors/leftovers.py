"""What a run that was killed left on an engine, found by label and removed."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence

from tracekeeper.engine.client import Engine
from tracekeeper.engine.models import Listed

DATA_LABEL = "tracekeeper.data"
"""The data directory's UUID."""
RUN_LABEL = "tracekeeper.run"
JOB_LABEL = "tracekeeper.job"
ROLE_LABEL = "tracekeeper.role"
"""What a container is to its job: ``job`` for the one in which its scripts run."""


async def remove_leftovers(
    engine: Engine, data_id: str, *, keep: Collection[str] = (), keep_jobs: Collection[str] = ()
) -> int:
    """Remove every container, network and volume that a run of this data directory made, but
    those of the runs `keep`, which are alive, and of the jobs `keep_jobs`, whose containers are
    kept. Returns how many there were. Raises EngineError."""

    def is_left(labels: Mapping[str, str]) -> bool:
        return labels.get(RUN_LABEL) not in keep and labels.get(JOB_LABEL) not in keep_jobs

    return await _remove_labelled(engine, [f"{DATA_LABEL}={data_id}"], is_left)


async def remove_job(engine: Engine, data_id: str, job_id: int) -> int:
    """Remove what was made for one job; how many things there were. Raises EngineError."""
    return await remove_labelled(engine, {DATA_LABEL: data_id, JOB_LABEL: str(job_id)})


async def remove_labelled(engine: Engine, labels: Mapping[str, str]) -> int:
    """Remove all that has these labels; how many things there were. Raises EngineError."""
    wanted = [f"{key}={value}" for key, value in labels.items()]
    return await _remove_labelled(engine, wanted, lambda _: True)


async def _remove_labelled(
    engine: Engine, labels: Sequence[str], chosen: Callable[[Mapping[str, str]], bool]
) -> int:
    def left(things: Iterable[Listed]) -> list[str]:
        return [thing.id or thing.name for thing in things if chosen(thing.labels or {})]

    removed = 0
    for kind in (engine.containers, engine.networks, engine.volumes):
        removed += await _remove(kind.remove, left(await kind.list(*labels)))
    return removed


async def _remove(
    remove: Callable[[str], Coroutine[object, object, None]], things: list[str]
) -> int:
    await asyncio.gather(*map(remove, things))
    return len(things)
