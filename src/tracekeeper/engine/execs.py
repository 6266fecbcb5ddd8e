"""Commands in running containers: exec, with or without a terminal. Every call may raise
EngineError.

The engine keeps no record of what an exec writes: what a broken connection loses is lost. So a
job's script is never run this way; people's shells are.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from urllib.parse import quote

from tracekeeper.engine.client import Engine
from tracekeeper.engine.errors import CommandNotStarted, EngineRefused
from tracekeeper.engine.frames import STDOUT, Frame, FrameDecoder
from tracekeeper.engine.http import UPGRADE, Response
from tracekeeper.engine.models import Created, ExecState

NO_DETACH_KEYS = "ctrl-^,ctrl-_,ctrl-^,ctrl-_,ctrl-^,ctrl-_"
"""The engine keeps keys back that may begin its sequence for detaching. That is Ctrl-P unless
something else is named, and it cannot be turned off: so let it be something that nobody types."""
NOT_STARTED = b"OCI runtime exec failed: "
"""With these words the engine tells that a command could not be started, on its stdout."""
POLL = 0.02
"""Seconds between questions for an exit status: the output may end a moment before the command."""


class Exec:
    """A command whose streams we hold. `tty` joins them into one."""

    def __init__(self, response: Response, *, tty: bool) -> None:
        self._response = response
        self._tty = tty

    async def write(self, data: bytes) -> None:
        """Give `data` to its stdin. Waits as long as the command takes to read."""
        await self._response.write(data)

    async def write_eof(self) -> None:
        """Nothing more comes on its stdin; its output goes on."""
        await self._response.write_eof()

    async def output(self) -> AsyncIterator[Frame]:
        """What it writes, until nobody is left who could write."""
        decoder = FrameDecoder()
        async with aclosing(self._response.stream()) as chunks:
            async for chunk in chunks:
                for frame in [(STDOUT, chunk)] if self._tty else decoder.feed(chunk):
                    yield frame


class Execs:
    """The execs of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def create(
        self,
        container: str,
        command: Sequence[str],
        *,
        tty: bool = False,
        stdin: bool = False,
        user: str = "",
        directory: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> str:
        """Get a command ready in a running container; the exec's id. It has the container's
        environment, and `environment` beyond that."""
        config = {
            "Cmd": list(command),
            "AttachStdin": stdin,
            "AttachStdout": True,
            "AttachStderr": True,
            "Tty": tty,
            "DetachKeys": NO_DETACH_KEYS,
            "User": user,
            "WorkingDir": directory,
            "Env": [f"{key}={value}" for key, value in (environment or {}).items()],
        }
        path = f"/containers/{quote(container, safe='')}/exec"
        return (await self._engine.call("POST", path, Created, json=config)).id

    @asynccontextmanager
    async def start(self, exec_id: str, *, tty: bool = False) -> AsyncIterator[Exec]:
        """Start it and hold its streams. Leaving closes them; the command may go on."""
        config = {"Detach": False, "Tty": tty}
        path = f"/exec/{exec_id}/start"
        async with self._engine.open("POST", path, json=config, headers=UPGRADE) as response:
            yield Exec(response, tty=tty)

    async def resize(self, exec_id: str, *, columns: int, rows: int) -> None:
        """Give its terminal another size."""
        query = {"w": columns, "h": rows}
        await self._engine.do("POST", f"/exec/{exec_id}/resize", query=query)

    async def inspect(self, exec_id: str) -> ExecState:
        """How it is."""
        return await self._engine.call("GET", f"/exec/{exec_id}/json", ExecState)

    async def knows(self, exec_id: str) -> bool:
        """Whether the engine process still has it. It is kept in memory alone, and only as long as
        its container runs."""
        try:
            await self.inspect(exec_id)
        except EngineRefused as error:
            if error.status != 404:
                raise
            return False
        return True

    async def check_started(self, exec_id: str, said: bytes) -> None:
        """Raises CommandNotStarted if the output `said` is the engine's own, who could not start
        the command; a command may say the same."""
        if not said.startswith(NOT_STARTED):
            return
        state = await self.inspect(exec_id)
        if state.pid or state.running or not state.exit_code:
            return
        why = said.removeprefix(NOT_STARTED).decode("utf-8", "replace").strip()
        why = why.rpartition("unable to start container process: ")[2].removesuffix(": unknown")
        raise CommandNotStarted(
            f"the command could not be started: {why}", exit_code=state.exit_code
        )

    async def exit_code(self, exec_id: str) -> int:
        """Its exit status, once its output has ended: there is no way to be told."""
        while True:
            state = await self.inspect(exec_id)
            if not state.running and state.exit_code is not None:
                return state.exit_code
            await asyncio.sleep(POLL)
