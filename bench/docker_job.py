"""A docker job with the script `true`: from nothing to the proven end of its log.

The peer is `docker run --rm` of the same image. Ours connects, creates the container, uploads the
script, runs it, follows the log to its end marker; removing comes after the result.
"""

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from bench.harness import paired, ratio

from tracekeeper.engine.client import answers
from tracekeeper.engine.host import Host
from tracekeeper.events import ConnectionEvent
from tracekeeper.protocol.payload import ImageSpec, JobInfo, JobPayload, Step
from tracekeeper.runner.executors.docker import DockerExecutor

IMAGE = os.environ.get("BENCH_IMAGE", "busybox:latest")
URL = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
ROUNDS = 15


class Silent:
    def write(self, data: bytes, *, at: int | None = None) -> None: ...
    def checkpoint(self, standing: object, *, now: bool = False) -> None: ...

    def tell(self, event: ConnectionEvent) -> None: ...

    def preview(self, data: bytes) -> None: ...
    def note(self, text: str) -> None: ...


class NoSources:
    def materialize(self, dest: Path) -> None: ...
    def release(self, dest: Path) -> None: ...
    def tar(self, prefix: str) -> Iterator[bytes]:
        yield bytes(1024)


async def one_job() -> float:
    payload = JobPayload(
        1,
        "",
        JobInfo(1, "job", "test"),
        (),
        (Step("script", ("true",), 60),),
        image=ImageSpec(IMAGE),
    )
    executor = DockerExecutor(payload, {}, host=Host(URL), sources=NoSources(), labels={})
    started = time.perf_counter()
    try:
        await executor.prepare(Silent())
        result = await executor.run(payload.steps[0], b"true", Silent())
        took = time.perf_counter() - started
    finally:
        await executor.cleanup()
    assert (result.exit_code, executor.doubt) == (0, "")
    return took


def ours() -> float:
    return asyncio.run(one_job())


def peer() -> float:
    started = time.perf_counter()
    subprocess.run(["docker", "run", "--rm", IMAGE, "true"], check=True)
    return time.perf_counter() - started


def main() -> bool:
    if why := asyncio.run(answers(URL)):
        print(f"left out: {why}")
        return True
    return ratio(
        "a docker job, against `docker run --rm`", *paired(ours, peer, ROUNDS), at_most=1.3
    )
