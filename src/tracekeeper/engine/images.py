"""Images of an engine. Every call may raise EngineError."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from urllib.parse import quote

import msgspec

from tracekeeper.engine.client import NOT_JSON, Engine
from tracekeeper.engine.errors import ConnectionLost, EngineRefused
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
        after the answer has begun with status 200. A registry may take its time; if it does, the
        engine is asked whether it is there.
        """
        reference = parse(image)
        query = {"fromImage": reference.name, "tag": reference.digest or reference.tag}
        if platform:
            query["platform"] = platform
        headers = {"X-Registry-Auth": auth} if auth else {}
        async with self._engine.open(
            "POST", "/images/create", query=query, headers=headers
        ) as response:
            async for line in _lines(self._watched(response)):
                yield _checked(line)

    async def _watched(self, response: Response) -> AsyncIterator[bytes]:
        async with aclosing(response.chunks(endless=True)) as chunks:
            while chunk := await self._engine.watched(_next(chunks)):
                yield chunk


async def _next(chunks: AsyncGenerator[bytes, None]) -> bytes:
    """The next piece, which is never empty; empty at the end."""
    return await anext(chunks, b"")


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield line
    if rest.strip():
        yield rest


def _checked(line: bytes) -> Progress:
    """What a line says. Raises EngineRefused for an error, ConnectionLost for what is damaged."""
    try:
        progress = msgspec.json.decode(line, type=Progress)
    except NOT_JSON as error:
        raise ConnectionLost(f"the engine sent no line of a pull: {line[:80]!r}") from error
    detail = progress.error_detail.message if progress.error_detail else ""
    if reason := detail or progress.error:
        raise EngineRefused(f"the Docker Engine refused: {reason}", status=200, reason=reason)
    return progress
