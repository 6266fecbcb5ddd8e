"""200 jobs whose containers say nothing: what following them costs one process.

Each has an executor of its own, as in a runner, with all its connections: the log, the wait, and an
attach where unfinished lines are shown. The engine is asked for each of them as often as always.
BENCH_CONTAINERS says how many it shall be.
"""

import asyncio
import os
import resource
import subprocess
import sys
import time

from bench.harness import peak_bytes, verdict
from bench.places import Place, places
from bench.stand_ins import Silent, executor

from tracekeeper.engine.hosts import find_host
from tracekeeper.protocol.payload import Step

CONTAINERS = int(os.environ.get("BENCH_CONTAINERS", "200"))
AT_ONCE = 4
"""Containers that are started side by side: more only wait for the engine."""
QUIET = 60.0
"""Seconds over which the processor time is taken: three questions for each container."""
STEP = Step("script", ("sleep 3600",), 3600)
MOST_CPU, MOST_MEMORY = 25.0, 150.0
"""Per cent of one core; megabytes."""


class Job:
    """A job that sleeps."""

    def __init__(self, number: int) -> None:
        self.executor = executor(find_host(os.environ), number)
        self.running: asyncio.Task[object] | None = None

    async def start(self, turn: asyncio.Semaphore) -> None:
        """Come back when the script has had time to begin."""
        async with turn:
            await self.executor.prepare(Silent())
            script = b"exec sleep 3600"
            self.running = asyncio.create_task(self.executor.run(STEP, script, Silent()))
            await asyncio.wait({self.running}, timeout=1.0)

    async def stop(self, turn: asyncio.Semaphore) -> None:
        """Remove the container; that ends the script."""
        async with turn:
            await self.executor.cleanup()
        if self.running is not None:
            await asyncio.gather(self.running, return_exceptions=True)


async def watch(count: int) -> None:
    """Follow `count` quiet containers; print per cent of a core, and megabytes."""
    turn = asyncio.Semaphore(AT_ONCE)
    jobs = [Job(number) for number in range(count)]
    try:
        await asyncio.gather(*(job.start(turn) for job in jobs))
        before = time.process_time()
        await asyncio.sleep(QUIET)
        used = time.process_time() - before
        assert all(job.running and not job.running.done() for job in jobs), "a job has ended"
        print(used / QUIET * 100, peak_bytes(resource.getrusage(resource.RUSAGE_SELF)) / 1e6)
    finally:
        await asyncio.gather(*(job.stop(turn) for job in jobs))


def main() -> bool:
    kept = [measure(place) for place in places()]
    return all(kept)


def measure(place: Place) -> bool:
    command = [sys.executable, "-m", "bench.quiet", str(CONTAINERS)]
    result = subprocess.run(
        command, env=os.environ | place.environment, stdout=subprocess.PIPE, text=True, check=False
    )
    if result.returncode:
        sys.exit(f"{' '.join(command)} ended with {result.returncode}")
    cpu, memory = map(float, result.stdout.split())
    of = f"{CONTAINERS} quiet containers over {place.name}"
    small = verdict(f"{of}, MB", memory, f"<= {MOST_MEMORY:g}", memory <= MOST_MEMORY)
    return verdict(f"{of}, % of a core", cpu, f"< {MOST_CPU:g}", cpu < MOST_CPU) and small


if __name__ == "__main__":
    asyncio.run(watch(int(sys.argv[1])))
