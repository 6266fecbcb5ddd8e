"""What another process needs to go on with a job's container, and finding that container. The
standing is in the job's journal, which only its owner can read: the nonce is no job's to know."""

import msgspec

from tracekeeper.engine.client import Engine
from tracekeeper.engine.errors import EngineUnreachable
from tracekeeper.engine.host import Host
from tracekeeper.engine.models import Container, Image
from tracekeeper.engine.tasks import Backoff
from tracekeeper.errors import JobError
from tracekeeper.runner.executors.failures import Subject

NEVER = "0001-01-01T00:00:00Z"
"""When a container that was never started was started, in the engine's words."""


class Standing(msgspec.Struct, frozen=True):
    """Where a docker executor stands.

    The container was started for `step`, whose nonce is `nonce`, or was about to be: it was if its
    last start is not `started`, which was before. `position` is how much of its log has been
    taken, `canary` the exec that tells whether the engine was restarted since.
    """

    step: str
    nonce: str
    position: str
    started: str = NEVER
    canary: str = ""


async def reach(host: Host) -> Engine:
    """The engine at `host`, which may be away for a while. Raises EngineError."""
    backoff = Backoff(host.patience)
    while True:
        try:
            return await Engine.connect(host)
        except EngineUnreachable as error:
            await backoff.pause(error)


async def find_container(engine: Engine, *labels: str) -> Container:
    """The container that has all these labels. Raises JobError where there is none any more."""
    for found in await engine.containers.list(*labels):
        return await engine.containers.inspect(found.id)
    raise JobError(
        f"the job's container is gone from {engine.url}: its output is lost from where the run was"
        " killed",
        reason="runner_system_failure",
    )


async def subject(engine: Engine, container: Container) -> Subject:
    """What runs in a container."""
    name = container.config.image
    image = await engine.images.inspect(name) or Image(id="")
    entrypoint = [part for part in container.config.entrypoint or () if part]
    return Subject(name, image, entrypoint, f"{engine.version.os}/{engine.version.arch}")
