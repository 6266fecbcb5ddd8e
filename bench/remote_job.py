"""A job on a remote engine over mutual TLS, beside `docker run --rm` of the same: script `true`.

Ours connects, creates the container, uploads the script, starts it, follows the log to its proven
end, and removes it: what a runner does for each job. The peer is the whole program.
"""

import asyncio
import time
from pathlib import Path

from bench.harness import paired, ratio, timed
from bench.places import IMAGE, Place, places
from bench.stand_ins import Silent, executor

from tracekeeper.engine.host import Host
from tracekeeper.protocol.payload import Step

STEP = Step("script", ("true",), 60)
ROUNDS = 15
HERE = Path()


async def one_job(host: Host) -> float:
    """Seconds from nothing to a job of which nothing is left."""
    started = time.perf_counter()
    job = executor(host)
    try:
        await job.prepare(Silent())
        await job.put_sources(Silent(), b"true")
        result = await job.run(STEP, b"true", Silent())
    finally:
        await job.cleanup()
    assert (result.exit_code, job.doubt, job.altered) == (0, "", "")
    return time.perf_counter() - started


def main() -> bool:
    kept = [measure(place) for place in places()]
    return all(kept)


def measure(place: Place) -> bool:
    peer = ["docker", "run", "--rm", IMAGE, "true"]
    walls = paired(
        lambda: asyncio.run(one_job(place.host)),
        lambda: timed(peer, HERE, env=place.environment).wall,
        ROUNDS,
    )
    return ratio(f"a job over {place.name}, create to remove", *walls, at_most=1.5)
