"""Getting a job's images, as their pull policy says."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from tracekeeper.engine.client import Engine
from tracekeeper.engine.errors import EngineRefused
from tracekeeper.engine.models import Image
from tracekeeper.errors import JobError
from tracekeeper.runner.executors.base import Output

Auth: TypeAlias = Callable[[], Awaitable[str]]
"""Gives a value for X-Registry-Auth; asked only before a pull."""


async def obtain_image(
    engine: Engine,
    name: str,
    policies: Sequence[str],
    output: Output,
    *,
    auth: Auth,
    platform: str = "",
) -> Image:
    """The image `name`, local or pulled. `policies` are always, if-not-present or never; later ones
    are for when the earlier ones failed.

    Raises JobError (``image_pull_failure``) if none of them gives it.
    """
    failure = JobError(f"image {name} has no pull policy", reason="image_pull_failure")
    for policy in policies:
        try:
            return await _obtain(engine, name, policy, output, platform, auth)
        except JobError as error:
            failure = error
            if policy != policies[-1]:
                output.note(f"WARNING: {error.message}; trying the next pull policy")
    raise failure


async def _obtain(
    engine: Engine, name: str, policy: str, output: Output, platform: str, auth: Auth
) -> Image:
    local = None if policy == "always" else await engine.images.inspect(name)
    if local is not None and _is_for(platform, local):
        output.note(f"Using the local image {name} ({_short(local)})")
        return local
    if policy == "never":
        wanted = f"{name} for {platform}" if platform else name
        raise JobError(
            f"image {wanted} is not on the Docker Engine, and its pull policy is 'never'",
            reason="image_pull_failure",
        )
    return await _pull(engine, name, output, platform, auth)


async def _pull(engine: Engine, name: str, output: Output, platform: str, auth: Auth) -> Image:
    output.note(f"Pulling image {name}")
    header = await auth()
    last = ""
    try:
        async for progress in engine.images.pull(name, platform=platform, auth=header):
            last = last if progress.id else progress.status
    except EngineRefused as error:
        raise JobError(
            f"image {name} cannot be pulled: {error.reason}", reason="image_pull_failure"
        ) from error
    image = await engine.images.inspect(name)
    if image is None:
        raise JobError(
            f"image {name} was pulled, but the engine does not have it: {last}",
            reason="image_pull_failure",
        )
    output.note(f"Using the pulled image {name} ({_short(image)})")
    return image


def _is_for(platform: str, image: Image) -> bool:
    """Whether a local image is for the platform asked for; of ``linux/arm/v7`` the variant is
    left to the engine."""
    return not platform or f"{platform}/".startswith(f"{image.os}/{image.architecture}/")


def _short(image: Image) -> str:
    return image.id.removeprefix("sha256:")[:12]
