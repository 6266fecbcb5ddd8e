"""A real engine behind a proxy that cuts: the executor's output stays exact.

The proxy is a UNIX socket in front of the engine's. It cuts connections that carry a log after a
random number of bytes, by closing or by resetting them, and may refuse new ones for a while.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tracekeeper.engine import containers, reading
from tracekeeper.engine.client import Engine
from tracekeeper.engine.host import Host
from tracekeeper.engine.tasks import first
from tracekeeper.events import ConnectionEvent
from tracekeeper.protocol.payload import ImageSpec, JobInfo, JobPayload, Step
from tracekeeper.runner.executors.docker import DockerExecutor

pytestmark = pytest.mark.docker

SAMPLE, FULL = 4, 60
SCRIPT = b"""\
i=0
while [ $i -lt 60 ]; do
  echo "line $i"
  head -c 40000 /dev/zero | tr '\\0' x
  printf '\\377 and \\303\\251\\n'
  seq $i 200
  sleep 0.02
  i=$((i + 1))
done
printf unfinished
exit 5
"""


def expected() -> bytes:
    rounds = [
        f"line {i}\n" + "x" * 40000 + "\ufffd and é\n" + "".join(f"{n}\n" for n in range(i, 201))
        for i in range(60)
    ]
    return "".join([*rounds, "unfinished"]).encode()


class CuttingProxy:
    """Forwards to the engine. What it does to connections comes from `chance`."""

    def __init__(self, engine: str, chance: random.Random, once_at: int | None) -> None:
        self.cuts = 0
        self._once_at = once_at
        self._engine = engine
        self._chance = chance
        self._refusals = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusals:
            self._refusals -= 1
            writer.close()
            return
        up_reader, up_writer = await asyncio.open_unix_connection(self._engine)
        log = asyncio.Event()
        try:
            await first(self._up(reader, up_writer, log), self._down(up_reader, writer, log))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            up_writer.transport.abort()
            writer.transport.abort() if self._chance.random() < 0.5 else writer.close()

    async def _up(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, log: asyncio.Event
    ) -> None:
        while data := await reader.read(65536):
            if b"/logs?" in data:
                log.set()
            writer.write(data)
            await writer.drain()

    async def _down(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, log: asyncio.Event
    ) -> None:
        budget = self._chance.randrange(4_000_000) if self._once_at is None else self._once_at
        while data := await reader.read(65536):
            cutting = log.is_set() and not (self.cuts and self._once_at is not None)
            writer.write(data[: max(0, budget)] if cutting else data)
            await writer.drain()
            budget -= len(data)
            if cutting and budget < 0:
                self.cuts += 1
                self._refusals = self._chance.choice((0, 0, 3))
                return


@asynccontextmanager
async def proxied(
    engine_url: str, path: Path, chance: random.Random, *, once_at: int | None = None
) -> AsyncIterator[CuttingProxy]:
    """A proxy that cuts log streams by chance, or the first one alone after `once_at` bytes."""
    proxy = CuttingProxy(engine_url.removeprefix("unix://"), chance, once_at)
    listener = await asyncio.start_unix_server(proxy.serve, path, limit=1 << 20)
    try:
        yield proxy
    finally:
        listener.close()
        async with asyncio.timeout(10):
            while len(asyncio.all_tasks()) > 1:
                await asyncio.sleep(0.01)


class Collected:
    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes, *, at: int | None = None) -> None:
        self.data += data

    def checkpoint(self, standing: object, *, now: bool = False) -> None: ...

    def tell(self, event: ConnectionEvent) -> None: ...

    def preview(self, data: bytes) -> None: ...

    def note(self, text: str) -> None: ...


class NoSources:
    def materialize(self, dest: Path) -> None: ...

    def release(self, dest: Path) -> None:
        raise AssertionError

    def tar(self, prefix: str) -> Iterator[bytes]:
        yield bytes(1024)


@pytest.mark.timeout(1800)
def test_output_is_exact_over_random_cuts(
    engine_url: str,
    busybox: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    faults_seed: int,
    faults_full: bool,
) -> None:
    total = 0

    async def one_job(seed: int) -> int:
        chance = random.Random(seed)
        monkeypatch.setattr(reading, "FIRST_TAIL", chance.choice((1, 10, 1000)))
        payload = JobPayload(1, "", JobInfo(1, "j", "test"), (), (), image=ImageSpec(busybox))
        output = Collected()
        async with proxied(engine_url, tmp_path / f"{seed}.sock", chance) as proxy:
            url = f"unix://{tmp_path}/{seed}.sock"
            executor = DockerExecutor(payload, {}, host=Host(url), sources=NoSources(), labels={})
            try:
                await executor.prepare(output)
                result = await executor.run(Step("script", (), 60), SCRIPT, output)
            finally:
                await executor.cleanup()
        assert (result.exit_code, executor.doubt) == (5, "")
        assert output.data == expected(), f"seed {seed}"
        return proxy.cuts

    for seed in range(faults_seed, faults_seed + (FULL if faults_full else SAMPLE)):
        total += asyncio.run(one_job(seed))
    assert total, "no stream was cut: the suite tests nothing"


def test_an_engine_remembers_what_it_started(
    engine_url: str, busybox: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers, "EVENTS_PATIENCE", 0.5)

    async def main() -> None:
        async with await Engine.connect(engine_url) as engine:
            container = await engine.containers.create({"Image": busybox, "Cmd": ["true"]})
            try:
                assert not await engine.containers.remembers_start(container)
                await engine.containers.start(container)
                monkeypatch.setattr(containers, "EVENTS_PATIENCE", 20.0)
                assert await engine.containers.remembers_start(container)
            finally:
                await engine.containers.remove(container)

    asyncio.run(main())
