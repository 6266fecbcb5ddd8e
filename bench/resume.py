"""How long after a cut the log goes on: from the question for its tail to the first entry that was
not there before, over a new connection, in a log of 100 MB that still grows.

The target is for a cut that is mended at once. What it takes where 20,000 entries came meanwhile is
told beside it: these have to be read as well.
"""

import asyncio
import os
import statistics
import time

from bench.follow import LINE, NONCE
from bench.harness import seconds
from bench.places import Place, places

from tracekeeper.engine.client import Engine
from tracekeeper.engine.follow import Follow, Read
from tracekeeper.engine.position import Position

MEGABYTES = int(os.environ.get("BENCH_MEGABYTES", "100"))
LINES = MEGABYTES * 1_000_000 // LINE
CUTS = 9
BEHIND = 20_000
WRITING = f"awk 'BEGIN {{ while (i++ < {LINES}) printf \"%099d\\n\", i }}'; sleep 3600"


async def taken(engine: Engine, container: str, entries: int) -> Position:
    """The position after the first `entries` of a log, or a little later."""
    follow = Follow(NONCE)
    async with engine.containers.logs(container, follow=True) as chunks:
        async for chunk in chunks:
            follow.feed(chunk)
            if follow.position.seen >= entries:
                break
    return follow.position


async def resumed(engine: Engine, container: str, position: Position) -> float:
    """Seconds until the log goes on after `position`."""
    follow = Follow.resume(NONCE, position)
    started = time.perf_counter()
    engine.close()
    while not follow.settled:
        want = follow.wants
        assert isinstance(want, Read)
        async with engine.containers.logs(container, follow=True, tail=want.tail) as chunks:
            async for chunk in chunks:
                follow.feed(chunk)
                if follow.short or follow.settled:
                    break
        if follow.short:
            follow.ended(broken=False)
    return time.perf_counter() - started


async def measure(place: Place, container: str) -> bool:
    async with await Engine.connect(place.host) as engine:
        at_once, _ = await cut(engine, container, LINES)
        later, worst = await cut(engine, container, LINES - BEHIND)
    print(f"with {BEHIND:,} entries more to read: {later:.3f} s, at worst {worst:.3f} s")
    return seconds(f"resume in {MEGABYTES} MB over {place.name}", at_once, 0.3)


async def cut(engine: Engine, container: str, entries: int) -> tuple[float, float]:
    """Median and worst of some resumes behind so many entries."""
    position = await taken(engine, container, entries)
    times = [await resumed(engine, container, position) for _ in range(CUTS)]
    return statistics.median(times), max(times)


def main() -> bool:
    kept = []
    for place in places():
        with place.container(WRITING) as container:
            kept.append(asyncio.run(measure(place, container)))
    return all(kept)
