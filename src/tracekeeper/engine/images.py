"""Images of an engine. Every call may raise EngineError."""

from collections.abc import AsyncIterator
from urllib.parse import quote

import msgspec

from tracekeeper.engine.client import Engine
from tracekeeper.engine.errors import EngineRefused
from tracekeeper.engine.http import Response
from tracekeeper.engine.models import Image
from tracekeeper.engine.references import parse


class _Detail(msgspec.Struct):
    message: str = ""


class Progress(msgspec.Struct, rename="camel"):
    """A line of a pull. Lines about a layer have its `id`."""

    status: str = ""
    id: str = ""
    error: str = ""
    error_detail: _Detail | None = None


class Images:
    """The images of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def inspect(self, image: str) -> Image | None:
        """The local image of this name; None if there is none."""
        try:
            return await self._engine.call("GET", f"/images/{quote(image, safe='/:@')}/json", Image)
        except EngineRefused as error:
            if error.status == 404:
                return None
            raise

    async def pull(
        self, image: str, *, platform: str = "", auth: str = ""
    ) -> AsyncIterator[Progress]:
        """Fetch an image from its registry and tell how it goes.

        `auth` is a value for X-Registry-Auth. Raises EngineRefused also for an error that comes
        after the answer has begun with status 200.
        """
        reference = parse(image)
        query = {"fromImage": reference.name, "tag": reference.digest or reference.tag}
        if platform:
            query["platform"] = platform
        headers = {"X-Registry-Auth": auth} if auth else {}
        async with self._engine.open(
            "POST", "/images/create", query=query, headers=headers
        ) as response:
            async for line in _lines(response):
                yield _checked(msgspec.json.decode(line, type=Progress))


async def _lines(response: Response) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in response.chunks(endless=True):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield line
    if rest.strip():
        yield rest


def _checked(progress: Progress) -> Progress:
    detail = progress.error_detail.message if progress.error_detail else ""
    if reason := detail or progress.error:
        raise EngineRefused(f"the Docker Engine refused: {reason}", status=200, reason=reason)
    return progress
