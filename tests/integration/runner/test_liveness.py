"""A container's output over connections that go silent: nobody waits for ever, nothing is lost."""

import asyncio
import secrets
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support.fault_proxy import Fault, FaultProxy, Plan, no_faults

from tracekeeper.engine import client
from tracekeeper.engine.client import Engine
from tracekeeper.engine.containers import Containers
from tracekeeper.engine.execs import Execs
from tracekeeper.engine.follow import Follow
from tracekeeper.engine.host import Host
from tracekeeper.engine.http import Timeouts
from tracekeeper.events import ConnectionBroke, ConnectionClosed, ConnectionEvent
from tracekeeper.runner.executors import canary, container, dispatcher
from tracekeeper.runner.executors.canary import FORGOTTEN, RESTARTED
from tracekeeper.runner.executors.container import ContainerRun, Ended, HostGone
from tracekeeper.runner.executors.preview import UnfinishedLine

pytestmark = pytest.mark.docker

QUIET = "echo one; sleep 2; echo two"
LABELS = {"tracekeeper.test": uuid.uuid4().hex}


class Heard:
    """An output that remembers."""

    def __init__(self) -> None:
        self.output = b""
        self.notes: list[str] = []
        self.events: list[ConnectionEvent] = []
        self.output_at_breaks: list[bytes] = []

    def write(self, data: bytes, *, at: int | None = None) -> None:
        self.output += data

    def preview(self, data: bytes) -> None: ...

    def note(self, text: str) -> None:
        self.notes.append(text)

    def checkpoint(self, standing: object, *, now: bool = False) -> None: ...

    def tell(self, event: ConnectionEvent) -> None:
        self.events.append(event)
        if isinstance(event, ConnectionBroke):
            self.output_at_breaks.append(self.output)

    @property
    def broke(self) -> list[ConnectionBroke]:
        return [event for event in self.events if isinstance(event, ConnectionBroke)]

    @property
    def closed(self) -> ConnectionClosed:
        assert isinstance(self.events[-1], ConnectionClosed)
        return self.events[-1]


Meanwhile = Callable[[Heard], Awaitable[None]]


FollowScript = Callable[..., tuple[Ended, Heard]]


async def nothing(_heard: Heard) -> None: ...


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


@pytest.fixture
def follow_script(engine_url: str, busybox: str) -> FollowScript:
    """Runs a script in a container over the engine at `host`, while something else happens. NONCE
    in a script is what the end marker will have."""

    async def run(host: Host, script: str, meanwhile: Meanwhile) -> tuple[Ended, Heard]:
        heard, nonce = Heard(), secrets.token_hex(16)
        async with await Engine.connect(engine_url) as direct:
            made = await direct.containers.create(
                {"Image": busybox, "Cmd": dispatcher.COMMAND, "Labels": LABELS}
            )
            try:
                first = dispatcher.first_members("/builds")

                tar = _once(
                    first + dispatcher.step_archive(script.replace("NONCE", nonce).encode(), nonce)
                )
                await direct.containers.put_archive(made, "/", tar)
                async with await Engine.connect(host) as engine:
                    job = ContainerRun(engine, made, Follow(nonce), nonce, heard)
                    ended, _ = await asyncio.gather(job.run(), meanwhile(heard))
            finally:
                await direct.containers.remove(made)
        return ended, heard

    def start(host: Host, script: str, meanwhile: Meanwhile = nothing) -> tuple[Ended, Heard]:
        return asyncio.run(run(host, script, meanwhile))

    return start


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Questions come soon, and have to be answered soon."""
    monkeypatch.setattr(container, "QUESTION", 0.3)
    monkeypatch.setattr(client, "_PROBE", Timeouts(answer=0.3, silence=0.3))


def proxied(engine_url: str, directory: Path, plan: Plan = no_faults) -> FaultProxy:
    return FaultProxy(engine_url, f"unix://{directory}/proxy.sock", plan)


def network(proxy: FaultProxy, **settings: float) -> Host:
    """A host of which nobody knows that it is near. `settings` are the host's, in seconds."""
    return msgspec.structs.replace(Host(proxy.url, preview=False), **settings)


def cutting(proxy: FaultProxy, left: Sequence[str] = ("nothing",)) -> Meanwhile:
    """Cuts every connection once there is output, and a canary has been `left`."""

    async def cut(heard: Heard) -> None:
        await until(lambda: heard.output and left)
        proxy.cut_all()

    return cut


@pytest.fixture
def canaries(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Those that have been left, at once."""
    create, left = Execs.create, []

    async def noted(self: Execs, container: str, command: Sequence[str]) -> str:
        left.append(await create(self, container, command))
        return left[-1]

    monkeypatch.setattr(canary, "FIRST", 0.0)
    monkeypatch.setattr(Execs, "create", noted)
    return left


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


def test_a_quiet_engine_is_asked_and_nothing_more_happens(
    follow_script: FollowScript, engine_url: str, tmp_path: Path
) -> None:
    with proxied(engine_url, tmp_path) as proxy:
        ended, heard = follow_script(network(proxy), QUIET)
    assert (ended.doubt, ended.exit_status, heard.output) == ("", 0, b"one\ntwo\n")
    assert heard.closed.questions >= 3
    assert (heard.closed.breaks, heard.broke, heard.notes) == (0, [], [])
    assert heard.closed.longest_silence > 1


def test_an_engine_that_freezes_is_noticed_and_waited_for(
    follow_script: FollowScript, engine_url: str, tmp_path: Path
) -> None:
    with proxied(engine_url, tmp_path) as proxy:

        async def freeze(heard: Heard) -> None:
            await until(lambda: heard.output)
            proxy.pause()
            await until(lambda: heard.notes)
            await asyncio.sleep(3)
            proxy.resume()

        ended, heard = follow_script(network(proxy), "echo one; sleep 3; echo two", freeze)
    assert (ended.doubt, ended.exit_status, heard.output) == ("", 0, b"one\ntwo\n")
    assert "waiting up to 300 s" in heard.notes[0]
    (broke,) = heard.broke
    assert broke.recovered
    assert heard.output_at_breaks == [b"one\n"], "told where the output goes on"
    assert "and does not answer" in broke.cause
    assert broke.silent >= 0.6


def test_an_engine_that_stays_away_is_a_dead_host(
    follow_script: FollowScript, engine_url: str, tmp_path: Path
) -> None:
    with proxied(engine_url, tmp_path) as proxy:

        async def die(heard: Heard) -> None:
            await until(lambda: heard.output)
            proxy.refuse(True)
            proxy.cut_all()

        with pytest.raises(
            HostGone, match=r"the Docker host unix://.* is gone: it has not answered"
        ):
            follow_script(network(proxy, patience=0.5), QUIET, die)


def test_a_connection_that_may_be_forgotten_is_replaced_in_time(
    follow_script: FollowScript, engine_url: str, tmp_path: Path
) -> None:
    with proxied(engine_url, tmp_path) as proxy:
        ended, heard = follow_script(network(proxy, idle=0.5), QUIET)
    assert (ended.doubt, ended.exit_status, heard.output) == ("", 0, b"one\ntwo\n")
    assert heard.closed.renewals >= 3
    assert (heard.broke, heard.closed.questions) == ([], 0)


def test_a_stream_that_does_not_end_is_left(
    follow_script: FollowScript, engine_url: str, tmp_path: Path
) -> None:
    """The network swallows the log in its middle, and nothing else."""
    faults = {1: (Fault("half-open", "down", 480),)}
    with proxied(engine_url, tmp_path, lambda number: faults.get(number, ())) as proxy:
        ended, heard = follow_script(network(proxy), QUIET)
    assert (ended.doubt, ended.exit_status, heard.output) == ("", 0, b"one\ntwo\n")
    assert any("/logs" in injected.request for injected in proxy.injected)


def test_an_answer_to_the_start_that_is_lost(
    follow_script: FollowScript, engine_url: str, tmp_path: Path
) -> None:
    faults = {1: (Fault("rst", "down", 0),)}
    with proxied(engine_url, tmp_path, lambda number: faults.get(number, ())) as proxy:
        ended, heard = follow_script(network(proxy), "echo once")
    assert (ended.exit_status, heard.output) == (0, b"once\n")
    assert any("/start" in injected.request for injected in proxy.injected)


def test_only_a_connection_broke_not_the_engine(
    follow_script: FollowScript,
    engine_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    canaries: list[str],
) -> None:
    """The canary lives: however much the engine has forgotten since, it is the same one."""

    async def forgotten(_self: object, _container: str) -> bool:
        return False

    monkeypatch.setattr("tracekeeper.engine.containers.Containers.remembers_start", forgotten)
    with proxied(engine_url, tmp_path) as proxy:
        ended, heard = follow_script(network(proxy), QUIET, cutting(proxy, canaries))
    assert (ended.doubt, heard.output) == ("", b"one\ntwo\n")
    assert len(heard.broke) == 1


def test_an_engine_that_has_lost_the_canary_was_restarted(
    follow_script: FollowScript,
    engine_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    canaries: list[str],
) -> None:
    async def knows(_self: object, _exec: str) -> bool:
        return False

    monkeypatch.setattr("tracekeeper.engine.execs.Execs.knows", knows)
    with proxied(engine_url, tmp_path) as proxy:
        ended, heard = follow_script(network(proxy), QUIET, cutting(proxy, canaries))
    assert ended.doubt == RESTARTED
    assert f"WARNING: {RESTARTED}" in heard.notes
    assert heard.output == b"one\ntwo\n"


@pytest.mark.parametrize("remembered", [True, False])
def test_without_a_canary_the_memory_of_the_engine_counts(
    follow_script: FollowScript,
    engine_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    remembered: bool,
) -> None:
    async def remembers(_self: object, _container: str) -> bool:
        return remembered

    monkeypatch.setattr(canary, "FIRST", 60.0)
    monkeypatch.setattr("tracekeeper.engine.containers.Containers.remembers_start", remembers)
    with proxied(engine_url, tmp_path) as proxy:
        ended, heard = follow_script(network(proxy), QUIET, cutting(proxy))
    assert ended.doubt == ("" if remembered else FORGOTTEN)
    assert heard.output == b"one\ntwo\n"


def test_lines_that_the_engine_did_not_log(
    follow_script: FollowScript, engine_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attach has a line that the log never gets, as on a host whose disk was full."""
    feed = UnfinishedLine.feed

    def feed_once_more(self: UnfinishedLine, data: bytes) -> None:
        feed(self, data.replace(b"two\n", b"two\nlost\n"))

    ended, _ = follow_script(Host(engine_url), "echo one; echo two; echo three")
    assert ended.doubt == ""
    monkeypatch.setattr(UnfinishedLine, "feed", feed_once_more)
    ended, heard = follow_script(Host(engine_url), "echo one; echo two; echo three")
    assert ended.doubt == "the engine's log lacks 1 of the lines that the script wrote"
    assert heard.output == b"one\ntwo\nthree\n"


def test_a_forged_end_marker_does_not_make_a_job_green(
    follow_script: FollowScript, engine_url: str
) -> None:
    forge = r"printf '\036tracekeeper-end:%s:0\n' NONCE; echo hidden; exit 1"
    ended, _ = follow_script(Host(engine_url), forge)
    assert ended.doubt == "the end marker says exit status 0, but the container ended with 1"


def test_a_stream_that_ends_while_the_container_runs_is_told(
    follow_script: FollowScript, engine_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = Containers.logs
    readings = iter((True,))

    @asynccontextmanager
    async def ends_once(
        self: Containers, container: str, **options: Any
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        async with logs(self, container, **options) as chunks:
            yield _first_of(chunks) if next(readings, False) else chunks

    monkeypatch.setattr(Containers, "logs", ends_once)
    ended, heard = follow_script(Host(engine_url), "echo one; sleep 5; echo two")
    assert (ended.doubt, heard.output) == ("", b"one\ntwo\n")
    assert [broke.cause for broke in heard.broke] == ["the stream ended, and the container runs"]


@pytest.mark.parametrize("always", [False, True])
def test_an_engine_that_cannot_read_its_log(
    follow_script: FollowScript, engine_url: str, monkeypatch: pytest.MonkeyPatch, always: bool
) -> None:
    """It says so in its stream, behind what has been read already: is it ever given up?"""
    logs = Containers.logs
    readings = iter(() if always else (True,))

    @asynccontextmanager
    async def fails(
        self: Containers, container: str, **options: Any
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        async with logs(self, container, **options) as chunks:
            yield _failing(chunks) if next(readings, always) else chunks

    monkeypatch.setattr(Containers, "logs", fails)
    host = Host(engine_url, patience=1.5)
    if always:
        with pytest.raises(HostGone, match="broke its stream off: Error grabbing logs"):
            follow_script(host, "echo one; sleep 60")
        return
    ended, heard = follow_script(host, QUIET)
    assert (ended.doubt, heard.output) == ("", b"one\ntwo\n")
    (broke,) = heard.broke
    assert "the engine broke its stream off: Error grabbing logs" in broke.cause


async def _failing(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield await anext(chunks)
    yield b"\3\0\0\0\0\0\0\x13Error grabbing logs"


async def _first_of(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield await anext(chunks)


def test_a_container_that_is_paused_is_told(
    follow_script: FollowScript, engine_url: str, tmp_path: Path
) -> None:
    async def pause(heard: Heard) -> None:
        await until(lambda: heard.output)
        async with await Engine.connect(engine_url) as engine:
            (container,) = [
                each.id
                for each in await engine.containers.list()
                if (await engine.containers.inspect(each.id)).config.labels == LABELS
            ]
            await engine.do("POST", f"/containers/{container}/pause")
            await until(lambda: heard.notes)
            await engine.do("POST", f"/containers/{container}/unpause")

    ended, heard = follow_script(Host(engine_url), QUIET, pause)
    assert (ended.doubt, heard.output) == ("", b"one\ntwo\n")
    assert heard.notes == ["WARNING: the container is paused; its script waits"]
