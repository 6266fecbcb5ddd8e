"""A real engine behind a proxy that cuts any connection at any byte, in clear and inside TLS.

Whatever a job's connections suffer, its trace holds byte by byte what the engine's log holds, or
the job says that it does not: failed, with a reason, and not proven. Nothing stays on the engine.
The oracle is the log's file on the daemon's disk, read by no code of the program.

The suite has to catch these planted bugs (`PLANTED`):
- the end of a stream is taken for the end of the container
- the first entries after a break are taken for known
- the last entries before a break are delivered again
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import pytest
from tests.support.fault_proxy import Fault, FaultProxy, Plan, cuts, printed
from tests.support.jobs import Job, Project, job_yaml
from tests.support.logs import KeptLogs
from tests.support.machine import Machine

from tracekeeper.engine.client import Engine
from tracekeeper.engine.errors import ConnectionLost, EngineUnreachable
from tracekeeper.engine.follow import Ask, Follow
from tracekeeper.engine.frames import STDERR, STDOUT
from tracekeeper.engine.host import Host, Tls

pytestmark = [pytest.mark.docker, pytest.mark.root, pytest.mark.timeout(7200)]

SAMPLE, FULL = 10, 500
STREAMS_SAMPLE, STREAMS_FULL = 4, 60
TRIES = 40
"""So many jobs may miss a planted bug."""
SPAN = 600_000
HUGE_SAMPLE, HUGE_FULL = 2_000_000, 100_000_000

PLANTED = {
    "end of stream": """
from tracekeeper.engine.follow import TRANSITIONS, Event, Follow, State
TRANSITIONS[State.FOLLOW, Event.END] = TRANSITIONS[State.FOLLOW, Event.CUT] = State.ENDED
Follow.doubt = property(lambda self: "")
Follow.exit_status = property(lambda self: 0)
""",
    "gap": """
from tracekeeper.engine.follow import Follow
feed, ended = Follow.feed, Follow.ended
def lossy_feed(self, data):
    pieces = feed(self, data)
    return pieces[_broken.pop():] if pieces and _broken else pieces
def breaking(self, *, broken):
    _broken[:] = [1] * broken
    return ended(self, broken=broken)
Follow.feed, Follow.ended, _broken = lossy_feed, breaking, []
""",
    "twice": """
from tracekeeper.engine.follow import Follow
feed, ended = Follow.feed, Follow.ended
def keeping(self, data):
    pieces = feed(self, data)
    _last[:] = pieces[-1:] or _last
    return pieces
def repeating(self, *, broken):
    return ended(self, broken=broken) + (_last if broken else [])
Follow.feed, Follow.ended, _last = keeping, repeating, []
""",
}


def some_script(chance: random.Random) -> str:
    """Shell code whose output has what is hard for a log: long lines, unfinished ones, no UTF-8."""
    pieces = [
        f"seq 1 {chance.randrange(1, 3000)}",
        f"printf unfinished; sleep 0.0{chance.randrange(10)}",
        "printf '\\377\\303( \\342\\234 é\\n'",
        "echo",
        f"printf 'é%.0s' $(seq {chance.randrange(1, 20_000)}); echo",
        *(f"head -c {size} /dev/zero | tr '\\0' x; echo" for size in _sizes(chance)),
        f"printf 'a\\rprogress\\r'; sleep 0.0{chance.randrange(10)}; printf '\\r\\n'",
        f"sleep 0.{chance.randrange(1, 4)}",
    ]
    return "\n".join(chance.choices(pieces, k=chance.randrange(5, 40)))


def _sizes(chance: random.Random) -> Iterator[int]:
    yield from (16_383, 16_384, 16_385)
    yield from (chance.randrange(16_000, 50_000), chance.randrange(65_000, 140_000))


def hosts(machine: Machine, tls: Tls, place: Path, number: int) -> tuple[str, str, Tls | None]:
    """Every other job goes over TLS: upstream, where the proxy listens, what the client is told."""
    if number % 2:
        return machine.tls_url, "tcp://127.0.0.1:0", tls
    return machine.url, f"unix://{place}/{number}.sock", None


def cut_job(
    machine: Machine,
    project: Project,
    tls: Tls,
    chance: random.Random,
    *,
    planted: str = "",
    number: int = 0,
) -> tuple[int, Job]:
    """Run a job over connections that are cut; how many were, and what came of it."""
    status = chance.choice((0, 0, 3))
    pipeline = job_yaml(f"{some_script(chance)}\nexit {status}", after_script=["echo after"])
    upstream, listen, told = hosts(machine, tls, project.home, number)
    plan = cuts(chance, every=chance.choice((0.3, 0.8)), span=SPAN, most=chance.randrange(1, 6))
    with (
        KeptLogs(machine.data) as logs,
        printed(FaultProxy(upstream, listen, plan)) as proxy,
    ):
        run = project.run(Host(proxy.url, tls=told, patience=20), pipeline, planted=planted)
        job = run.job()
        check(job, logs.streams()["stdout"])
        assert job.exit_code in (None, status)
    check_nothing_is_left(machine, project, run.warnings)
    return len(proxy.injected), job


def test_the_answer_to_a_creation_is_lost(shared: Machine, project: Project) -> None:
    """The engine has made the container and nobody knows its id: it does not stay."""
    planted = """
from tracekeeper.engine.errors import ConnectionLost
from tracekeeper.engine.containers import Containers
real = Containers.create
async def create(*args, **named):
    await real(*args, **named)
    raise ConnectionLost("the answer is lost")
Containers.create = create
"""
    run = project.run(Host(shared.url), job_yaml("true"), planted=planted)
    assert "the answer is lost" in run.job().message
    assert shared.left() == []
    assert run.warnings == []


def check(job: Job, expected: bytes) -> None:
    """Exact, or loudly incomplete."""
    if job.output != expected:
        assert job.is_loud, f"{len(job.output)} of {len(expected)} bytes, and {job.verdict}"
        assert not job.is_green
    if job.is_green:
        assert (job.exit_code, job.verdict) == (0, "proven")
    else:
        assert job.message


def check_nothing_is_left(machine: Machine, project: Project, warnings: Sequence[str]) -> None:
    """Nothing is left, or that was said and the next run removes it."""
    if left := machine.left():
        assert any("not all of the job is removed" in warning for warning in warnings), left
        project.run(Host(machine.url), job_yaml("true"))
        assert machine.left() == []


def test_jobs_over_random_cuts(
    shared: Machine, project: Project, tls: Tls, faults_full: bool, faults_seed: int
) -> None:
    total = green = 0
    for n in range(FULL if faults_full else SAMPLE):
        print(f"job {n}")
        chance = random.Random(f"{faults_seed} {n}")
        injected, job = cut_job(shared, project, tls, chance, number=n)
        total, green = total + injected, green + job.is_green
    print(f"{total} cuts, {green} jobs passed")
    assert total, "nothing was cut: the suite tests nothing"


def test_a_log_of_100_mb(
    shared: Machine, project: Project, tls: Tls, faults_full: bool, faults_seed: int
) -> None:
    chance = random.Random(f"{faults_seed} huge")
    size = HUGE_FULL if faults_full else HUGE_SAMPLE
    pipeline = job_yaml(f"(yes {'x' * 99} || true) | head -n {size // 100}")
    for number in (0, 1):
        upstream, listen, told = hosts(shared, tls, project.home, number)
        with (
            KeptLogs(shared.data) as logs,
            printed(FaultProxy(upstream, listen, far_cuts(chance, size))) as proxy,
        ):
            job = project.run(Host(proxy.url, tls=told), pipeline).job()
            expected = logs.streams()["stdout"]
        check(job, expected)
        assert len(expected) > size
        assert proxy.injected
        assert shared.left() == []


def far_cuts(chance: random.Random, span: int) -> Plan:
    """Cuts that only a connection with a long log lives to see."""
    left = [chance.randrange(20_000, span) for _ in range(6)]
    return lambda _connection: [Fault("rst", "down", left.pop())] if left else []


@pytest.mark.parametrize("bug", PLANTED)
def test_planted_bugs_are_caught(
    shared: Machine, project: Project, tls: Tls, faults_seed: int, bug: str
) -> None:
    for n in range(TRIES):
        chance = random.Random(f"{faults_seed} {bug} {n}")
        try:
            cut_job(shared, project, tls, chance, planted=PLANTED[bug], number=n)
        except AssertionError:
            return
        finally:
            shared.wipe()
    pytest.fail(f"{TRIES} jobs have not shown the planted bug: {bug}")


# ------------------------------------------------------------------------- two streams, no step


def test_two_streams_over_random_cuts(
    shared: Machine, tls: Tls, tmp_path: Path, faults_full: bool, faults_seed: int
) -> None:
    total = 0
    for n in range(STREAMS_FULL if faults_full else STREAMS_SAMPLE):
        print(f"container {n}")
        chance = random.Random(f"{faults_seed} streams {n}")
        upstream, listen, told = hosts(shared, tls, tmp_path, n)
        script = "\n".join(
            f"({piece}) {chance.choice(('', '>&2', '>&2 &'))}"
            for piece in some_script(chance).splitlines()
        )
        name = shared.docker("create", "--log-driver", "json-file", "busybox", "sh", "-c", script)
        container = name.stdout.decode().strip()
        plan = cuts(chance, every=0.7, span=SPAN, most=8)
        try:
            shared.docker("start", container)
            with printed(FaultProxy(upstream, listen, plan)) as proxy:
                output = asyncio.run(followed(Host(proxy.url, tls=told), container))
            total += len(proxy.injected)
            shown = shared.docker("logs", container)
            assert output == {STDOUT: shown.stdout, STDERR: shown.stderr}
        finally:
            shared.wipe()
    assert total, "nothing was cut: the suite tests nothing"


T = TypeVar("T")


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until the answer comes through."""
    while True:
        with suppress(ConnectionLost, EngineUnreachable):
            return await ask()


async def followed(host: Host, container: str) -> dict[int, bytes]:
    """What the program's state machine makes of a container's log. There is no end marker in it,
    so that is doubted, and nothing else."""
    output = {STDOUT: b"", STDERR: b""}
    follow = Follow("0" * 32)
    engine = await patiently(lambda: Engine.connect(host))
    async with engine:
        while (want := follow.wants) is not None:
            if isinstance(want, Ask):
                found = await patiently(lambda: engine.containers.inspect(container))
                follow.answered(running=found.state.running)
                continue
            broken = False
            try:
                async with engine.containers.logs(
                    container, follow=want.follow, tail=want.tail
                ) as chunks:
                    async for chunk in chunks:
                        for piece in follow.feed(chunk):
                            output[piece.stream] += piece.data
                        if follow.short:
                            break
            except (ConnectionLost, EngineUnreachable):
                broken = True
            for piece in follow.ended(broken=broken):
                output[piece.stream] += piece.data
    assert follow.doubt == "the engine's log ends without the script's end marker"
    return output
