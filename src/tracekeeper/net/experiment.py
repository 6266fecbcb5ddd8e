"""The incident's rows with a real engine, real kernels and a real firewall: in the lab.

Small clients, each as that of incident/clients.py is: they attach to the job's container, as the
runner of the incident did, and believe what the stream says. Ours follows the log and resumes.
"""

import asyncio
import errno
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Literal, TypeAlias

import msgspec

from tracekeeper.engine.client import Engine
from tracekeeper.engine.follow import Ask, Follow, Piece, Read
from tracekeeper.engine.frames import FrameDecoder
from tracekeeper.engine.host import Host
from tracekeeper.engine.marker import EndMarker
from tracekeeper.errors import EngineError
from tracekeeper.net.incident.clients import Client
from tracekeeper.net.incident.firewall import Variant
from tracekeeper.net.incident.matrix import Case, Result, Setting
from tracekeeper.net.incident.options import SocketOptions, Sysctls
from tracekeeper.net.lab import Lab
from tracekeeper.sockets.options import Keepalive

Ending: TypeAlias = Literal["end", "ETIMEDOUT", "ECONNRESET", "open", "cut"]
"""As in the calculation; *cut*: the connection broke in another way, which none should."""
Start: TypeAlias = Callable[[], Awaitable[None]]
"""Starts the job."""

_ENDINGS: dict[int, Ending] = {errno.ETIMEDOUT: "ETIMEDOUT", errno.ECONNRESET: "ECONNRESET"}

LABS_AT_ONCE = 6
LABS_START = 12
"""Seconds in which so many labs start and end on two cores."""
NONCE = "incident"
SCRIPT = (
    'date; sleep {sleep}; echo "Hello world!"; date; '
    'printf "\\036tracekeeper-end:{nonce}:1\\n"; exit 1'
)
PAUSE = 0.2
"""Seconds before an engine is asked again after its connection broke."""


def watched(idle: int) -> int:
    """How many seconds after the job's sleep a client is watched before it counts as waiting.

    Longer than the idle limit, and with the lab's 10 s just short of what Linux does 12.9 s after
    the first loss, when it sends again for the sixth time.
    """
    return idle + 2


class Measured(msgspec.Struct, frozen=True):
    """What a client had and what it was told; `at` is in seconds after the job's start."""

    lost: bool
    ending: Ending
    at: float | None
    breaks: int

    def agrees(self, result: Result) -> bool:
        """Whether the calculation said so: the same loss, and the same thing told."""
        return (self.lost, self.ending) == (result.lost, result.outcome.ending)


class _Place(msgspec.Struct, frozen=True, order=True):
    """The lab that a row needs: its firewall, its engine, its client's sysctls."""

    variant: Variant
    tls: bool
    sysctls: bool


def duration(rows: Iterable[Case], setting: Setting) -> int:
    """About how many seconds `measure` takes for `rows`."""
    longest = [max(case.sleep for case in cases) for _, cases in _in_groups(rows)]
    rounds = range(0, len(longest), LABS_AT_ONCE)
    quiet = sum(max(longest[at : at + LABS_AT_ONCE]) for at in rounds)
    return quiet + len(rounds) * (watched(setting.idle) + LABS_START)


def measure(rows: Iterable[Case], setting: Setting) -> dict[Case, Measured]:
    """Run `rows`, as many as can be side by side, in at most twelve labs; see `duration`.

    Raises LabError, EngineError.
    """
    groups = _in_groups(rows)
    with ThreadPoolExecutor(LABS_AT_ONCE) as pool:
        found = pool.map(lambda group: _in_lab(group[0], group[1], setting), groups)
        return {case: measured for part in found for case, measured in part.items()}


def _in_groups(rows: Iterable[Case]) -> list[tuple[_Place, list[Case]]]:
    """The rows of each lab."""
    ordered = sorted(rows, key=_place)
    return [(place, list(cases)) for place, cases in groupby(ordered, _place)]


def _place(case: Case) -> _Place:
    return _Place(case.variant, tls=case.executor != "tcp", sysctls=case.client == "sysctl")


def _in_lab(place: _Place, rows: Sequence[Case], setting: Setting) -> dict[Case, Measured]:
    """Run rows in one lab, all at once."""
    with Lab(setting.idle, place.variant, tls=place.tls) as lab:
        if place.sysctls:
            _set_sysctls(lab, setting.clients["sysctl"].sysctls)

        async def all_rows() -> list[Measured]:
            return await asyncio.gather(*(_Row(lab, case, setting).run() for case in rows))

        with lab.inside():
            return dict(zip(rows, asyncio.run(all_rows()), strict=True))


def _set_sysctls(lab: Lab, sysctls: Sysctls) -> None:
    lab.set_sysctl("net.ipv4.tcp_keepalive_time", sysctls.time)
    lab.set_sysctl("net.ipv4.tcp_keepalive_intvl", sysctls.interval)
    lab.set_sysctl("net.ipv4.tcp_keepalive_probes", sysctls.probes)


class _Row:
    """One job in the lab, and the client that wants its log."""

    def __init__(self, lab: Lab, case: Case, setting: Setting) -> None:
        self._lab = lab
        self._case = case
        self._client = setting.clients[case.client]
        self._seconds = case.sleep + watched(setting.idle)
        self._received = bytearray()
        self._breaks = 0

    async def run(self) -> Measured:
        """Create the job's container, run it, watch the client, and compare with the log."""
        script = SCRIPT.format(sleep=self._case.sleep, nonce=NONCE)
        config = {
            "Image": "busybox:latest",
            "Cmd": ["sh", "-c", script],
            "HostConfig": {"NetworkMode": "none", "LogConfig": {"Type": "json-file"}},
        }
        async with await Engine.connect(self._lab.socket) as past_network:
            container = await past_network.containers.create(config)
            try:
                return await self._watch(past_network, container)
            finally:
                await past_network.containers.kill(container)
                await past_network.containers.remove(container)

    async def _watch(self, past_network: Engine, container: str) -> Measured:
        loop = asyncio.get_running_loop()
        begun = 0.0

        async def start() -> None:
            nonlocal begun
            await past_network.containers.start(container)
            begun = loop.time()
            limit.reschedule(begun + self._seconds)

        ending: Ending = "end"
        async with await Engine.connect(self._host()) as engine:
            try:
                async with asyncio.timeout(None) as limit:
                    await self._use(engine, container, start)
            except TimeoutError:
                ending = "open"
            except EngineError as error:
                ending = _ending(error)
        at = None if ending == "open" else loop.time() - begun
        log = await _whole_log(past_network, container)
        lost = EndMarker(NONCE).scan(bytes(self._received)) != log
        return Measured(lost, ending, at, self._breaks)

    def _host(self) -> Host:
        """The engine by this row's way, with this client's keepalive."""
        if self._case.executor == "unix":
            return Host(self._lab.socket)
        options = self._client.options_for(self._case.executor)
        return msgspec.structs.replace(self._lab.host, keepalive=_keepalive(options, self._client))

    async def _use(self, engine: Engine, container: str, start: Start) -> None:
        """Do as the client does, until it believes to have the whole log. Raises EngineError."""
        if self._client.resumes:
            await start()
            await self._follow(engine, container)
        else:
            await self._attach(engine, container, start)

    async def _attach(self, engine: Engine, container: str, start: Start) -> None:
        decoder = FrameDecoder()
        async with engine.containers.attach(container) as stream:
            await start()
            async for data in stream:
                for _, text in decoder.feed(data):
                    self._received += text

    async def _follow(self, engine: Engine, container: str) -> None:
        follow = Follow(NONCE)
        while (want := follow.wants) is not None:
            try:
                if isinstance(want, Ask):
                    found = await engine.containers.inspect(container)
                    follow.answered(running=found.state.running)
                else:
                    await self._read(engine, container, want, follow)
            except EngineError:
                self._breaks += 1
                if isinstance(want, Read):
                    self._take(follow.ended(broken=True))
                await asyncio.sleep(PAUSE)

    async def _read(self, engine: Engine, container: str, want: Read, follow: Follow) -> None:
        async with engine.containers.logs(container, follow=want.follow, tail=want.tail) as log:
            async for data in log:
                self._take(follow.feed(data))
                if follow.short:
                    break
        self._take(follow.ended(broken=False))

    def _take(self, pieces: Iterable[Piece]) -> None:
        self._received += b"".join(piece.data for piece in pieces)


def _keepalive(options: SocketOptions, client: Client) -> Keepalive | None:
    """What our sockets are told for these options; 0 leaves TCP_USER_TIMEOUT off."""
    if not options.keepalive:
        return None
    return Keepalive(
        options.idle,
        options.interval,
        options.count or client.sysctls.probes,
        options.user_timeout,
    )


def _ending(error: BaseException | None) -> Ending:
    """What the kernel said, which the error's cause knows."""
    while error is not None:
        if isinstance(error, OSError):
            return _ENDINGS.get(error.errno or 0, "cut")
        error = error.__cause__
    return "cut"


async def _whole_log(past_network: Engine, container: str) -> bytes:
    """What the job wrote, as the engine has it."""
    decoder, text = FrameDecoder(), bytearray()
    logs = past_network.containers.logs(container, follow=False, timestamps=False)
    async with logs as stream:
        async for data in stream:
            for _, part in decoder.feed(data):
                text += part
    return EndMarker(NONCE).scan(bytes(text))
