"""Which executor a job gets, and why."""

import asyncio
from collections.abc import Iterator
from importlib import import_module
from typing import Literal, TypeAlias

import msgspec

from tracekeeper.engine.host import Host
from tracekeeper.pipeline.pipeline import Pipeline
from tracekeeper.protocol.payload import JobPayload

Wanted: TypeAlias = Literal["auto", "shell", "docker"]


WHAT_TO_DO = (
    "`--executor docker` insists on a container, `tracekeeper engine check` says what is wrong"
)


class Choice(msgspec.Struct, frozen=True):
    """The executor's name, why it was taken, and whether the user asked for it."""

    executor: Literal["shell", "docker"]
    why: str
    asked: bool = False


class ExecutorChoice:
    """Chooses for each job; asks at most once whether an engine answers at `host`. With a
    `default_image`, jobs that name none are for a container too.

    `named_by` is the option that named the engine: who names one does not want its jobs on this
    machine, whether it answers or not."""

    def __init__(
        self, wanted: Wanted, host: Host, *, default_image: str = "", named_by: str = ""
    ) -> None:
        self._wanted = wanted
        self._host = host
        self._default_image = default_image
        self._named_by = named_by
        self._refusal: asyncio.Task[str | None] | None = None

    async def get_ready(self, pipeline: Pipeline) -> None:
        """Load what containers need, and ask the engine, before the time of a job counts."""
        if not self.may_use_engine(pipeline):
            return
        await asyncio.to_thread(import_module, "tracekeeper.runner.executors.docker")
        if self._wanted == "auto" and not self._named_by:
            self._start_asking()

    def may_use_engine(self, pipeline: Pipeline) -> bool:
        """Whether a job of `pipeline` may run in a container."""
        images = self._default_image or any(job.config.image for job in pipeline.jobs.values())
        return self._wanted == "docker" or (self._wanted == "auto" and bool(images))

    async def choose(self, payload: JobPayload) -> Choice:
        """The executor for one job."""
        if self._wanted != "auto":
            return Choice(self._wanted, "asked for with --executor", asked=True)
        if payload.image is None and not self._default_image:
            return Choice("shell", "the job names no image")
        if self._named_by:
            return Choice("docker", f"the engine was named by {self._named_by}", asked=True)
        refusal = await self._ask()
        if refusal is None:
            return Choice("docker", f"an engine answers at {self._host.url}")
        return Choice("shell", refusal)

    async def _ask(self) -> str | None:
        return await asyncio.shield(self._start_asking())

    def _start_asking(self) -> asyncio.Task[str | None]:
        from tracekeeper.engine.client import answers

        if self._refusal is None:
            self._refusal = asyncio.create_task(answers(self._host))
        return self._refusal


def shortcomings(choice: Choice, payload: JobPayload) -> Iterator[str]:
    """What a job asks for and does not get from the executor that was chosen."""
    if choice.executor != "shell":
        return
    name = payload.job_info.name
    if payload.image is not None and not choice.asked:
        yield (
            f"{name} runs on this machine, not in {payload.image.name}: {choice.why}; {WHAT_TO_DO}"
        )
    if payload.services:
        services = ", ".join(service.name for service in payload.services)
        yield f"{name} runs without its services ({services}): the shell executor has none"
