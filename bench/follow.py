"""500 MB of lines of 100 bytes, from the engine's log through `Follow`, beside `docker logs -f`.

Each of ours is checked: every byte there, once, up to the end marker. Both sides are programs of
their own and print nothing. Ours asks the engine for the time of each entry, which costs dockerd a
fifth more; what the peer takes with `--timestamps` is told beside it. BENCH_MEGABYTES says how much
it shall be.
"""

import asyncio
import os
import shlex
import sys
from functools import cache
from pathlib import Path
from zlib import crc32

from bench.harness import Timing, paired, ratio, timed, verdict
from bench.places import Place, places

from tracekeeper.engine.client import Engine
from tracekeeper.engine.follow import Follow
from tracekeeper.engine.hosts import find_host
from tracekeeper.engine.marker import prefix

LINE = 100
MEGABYTES = int(os.environ.get("BENCH_MEGABYTES", "500"))
ROUNDS = 2
NONCE = "0123456789abcdef" * 2
HERE = Path()
MORE_MEMORY = 4.0
"""Megabytes that ten times the log may cost."""


async def follow(container: str, size: int, expected: int) -> None:
    """Follow a log to its end. It must hold `size` bytes with the checksum `expected`."""
    taken = crc = 0
    machine = Follow(NONCE)
    async with (
        await Engine.connect(find_host(os.environ)) as engine,
        engine.containers.logs(container, follow=True) as chunks,
    ):
        async for chunk in chunks:
            for piece in machine.feed(chunk):
                taken += len(piece.data)
                crc = crc32(piece.data, crc)
    if (taken, crc, machine.exit_status) != (size, expected, 0):
        sys.exit(f"not the log: {taken} bytes of {size}, exit status {machine.exit_status}")


@cache
def checksum(lines: int) -> int:
    """That of the lines that `writing` writes."""
    crc = 0
    for start in range(1, lines + 1, 10_000):
        numbers = range(start, min(start + 10_000, lines + 1))
        crc = crc32(b"".join(b"%099d\n" % number for number in numbers), crc)
    return crc


def writing(lines: int) -> str:
    """The script whose log is followed."""
    end = prefix(NONCE).decode() + "0"
    return f"awk 'BEGIN {{ while (i++ < {lines}) printf \"%099d\\n\", i }}'; printf '%s\\n' '{end}'"


def ours(place: Place, container: str, size: int) -> Timing:
    expected = checksum(size // LINE)
    command = [sys.executable, "-m", "bench.follow", container, str(size), str(expected)]
    return timed(command, HERE, env=place.environment)


def docker_logs(place: Place, container: str, *options: str) -> float:
    command = shlex.join(["docker", "logs", "--follow", *options, container]) + " >/dev/null"
    return timed(["sh", "-c", command], HERE, env=place.environment).wall


def main() -> bool:
    kept = [measure(place) for place in places()]
    return all(kept)


def measure(place: Place) -> bool:
    size = MEGABYTES * 1_000_000
    with place.container(writing(size // LINE // 10)) as container:
        place.docker("wait", container)
        small = ours(place, container, size // 10)
    timings: list[Timing] = []

    def one() -> float:
        timings.append(ours(place, container, size))
        return timings[-1].wall

    with place.container(writing(size // LINE)) as container:
        place.docker("wait", container)
        walls = paired(one, lambda: docker_logs(place, container), ROUNDS)
        same = docker_logs(place, container, "--timestamps")
    cpu = min(timing.cpu for timing in timings)
    more = (max(timing.peak for timing in timings) - small.peak) / 1e6
    print(f"{size / walls[0] / 1e6:.1f} MB/s, {cpu:.1f} s of processor, {small.peak / 1e6:.0f} MB")
    print(f"the peer with --timestamps: {same:.1f} s")
    fast = ratio(f"{MEGABYTES} MB followed over {place.name}", *walls, at_most=1.11)
    what = f"more memory than for a tenth of it, MB, over {place.name}"
    return verdict(what, more, f"<= {MORE_MEMORY:g}", more <= MORE_MEMORY) and fast


if __name__ == "__main__":
    asyncio.run(follow(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
