"""A real engine's log, changed on its disk behind our back: the second reading finds it.

The file is changed by another container that has its directory mounted, so that it does not matter
where the engine is. dockerd itself notices none of this, and serves what it finds.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import PurePath

import pytest

from tracekeeper.engine.client import Engine
from tracekeeper.engine.follow import Ask, Follow
from tracekeeper.engine.hosts import find_host
from tracekeeper.engine.marker import prefix
from tracekeeper.engine.position import Position
from tracekeeper.runner.executors.docker import LOG_CONFIG

pytestmark = pytest.mark.docker

NONCE = "ab" * 16
IMAGE = "busybox:latest"
SCRIPT = f"seq 100; printf '{prefix(NONCE).decode()}0\\n'"
LOG = "".join(f"{number}\n" for number in range(1, 101)).encode()
LABELS = {"tracekeeper.test": "altered"}


@asynccontextmanager
async def ended(engine: Engine, script: str, **host: object) -> AsyncIterator[str]:
    """A container that has run `script`."""
    containers = engine.containers
    container = await containers.create(
        {
            "Image": IMAGE,
            "Cmd": ["sh", "-c", script],
            "Labels": LABELS,
            "HostConfig": {"LogConfig": LOG_CONFIG, "NetworkMode": "none", **host},
        }
    )
    try:
        async with containers.wait(container, "next-exit") as waiting:
            await containers.start(container)
            assert await waiting.exit_code() == 0
        yield container
    finally:
        await containers.remove(container)


async def alter(engine: Engine, container: str, command: str) -> None:
    """Filter the container's log file through `command`, in place."""
    inspected = await engine.call("GET", f"/containers/{container}/json", dict[str, object])
    path = PurePath(str(inspected["LogPath"]))
    script = f"cd /log && {command} <{path.name} >/new && cat /new >{path.name}"
    async with ended(engine, script, Binds=[f"{path.parent}:/log"]):
        pass


async def followed(engine: Engine, container: str, follow: Follow) -> bytes:
    output = b""
    while (want := follow.wants) is not None:
        if isinstance(want, Ask):
            follow.answered(running=False)
            continue
        logs = engine.containers.logs(container, follow=want.follow, tail=want.tail)
        async with logs as chunks:
            async for chunk in chunks:
                output += b"".join(piece.data for piece in follow.feed(chunk))
                if follow.short:
                    break
        output += b"".join(piece.data for piece in follow.ended(broken=False))
    return output


async def taken(engine: Engine, container: str) -> Position:
    """The position of somebody who has read all of the log, up to its end marker."""
    first = Follow(NONCE)
    assert await followed(engine, container, first) == LOG
    assert (first.doubt, first.altered, first.exit_status) == ("", "", 0)
    return first.position


@pytest.mark.parametrize(
    ("command", "where"),
    [
        ("cat", ""),
        ("sed 's/\"50/\"5O/'", "up to entry 101 it has the checksum"),
        ("sed 50d", "ends after 100 of the 101 entries"),
        ("head -n 60", "ends after 60 of the 101 entries"),
        ("tail -n 60", "begins at 20"),
        ("sed p", "begins at 20"),
    ],
)
def test_a_log_that_was_changed_on_the_engines_disk(command: str, where: str) -> None:
    async def scenario() -> Follow:
        async with (
            await Engine.connect(find_host(os.environ)) as engine,
            ended(engine, SCRIPT) as container,
        ):
            position = await taken(engine, container)
            await alter(engine, container, command)
            second = Follow.resume(NONCE, position)
            await followed(engine, container, second)
            return second

    follow = asyncio.run(scenario())
    assert (follow.exit_status, follow.doubt) == (0, "")
    assert (where in follow.altered, bool(follow.altered)) == (True, bool(where))
