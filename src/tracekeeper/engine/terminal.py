"""A person, or a pipe, at the other end of an exec: our stdin, stdout and terminal joined to it."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeAlias

from tracekeeper.engine.execs import Exec, Execs
from tracekeeper.engine.tasks import end
from tracekeeper.errors import EngineError

READ_SIZE = 64 * 1024
Show: TypeAlias = Callable[[int, bytes], None]
"""Shows bytes of a stream, 1 or 2. May block."""


async def join_streams(
    execs: Execs, exec_id: str, *, stdin: int, show: Show, terminal: int | None
) -> int:
    """Start an exec, join it to `stdin` and `show`, and wait for its end: its exit status.

    `terminal` is the descriptor of our terminal if the exec has one: the size of the one becomes
    that of the other, now and whenever it changes. Raises EngineError, CommandNotStarted.
    """
    async with execs.start(exec_id, tty=terminal is not None) as running:
        tasks = [] if terminal is None else [_start_resizing(execs, exec_id, terminal)]
        _start_pumping(stdin, running)
        try:
            async for stream, data in running.output():
                await execs.check_started(exec_id, data)
                show(stream, data)
        finally:
            await end(*tasks)
    return await execs.exit_code(exec_id)


def _start_pumping(stdin: int, running: Exec) -> None:
    """Pass on what is read from `stdin`, and its end. In a thread, because files cannot be waited
    for; a daemon, because a read cannot be interrupted."""
    loop = asyncio.get_running_loop()

    def pump() -> None:
        with suppress(EngineError, RuntimeError, asyncio.CancelledError):  # it has ended
            while data := _read(stdin):
                asyncio.run_coroutine_threadsafe(running.write(data), loop).result()
            asyncio.run_coroutine_threadsafe(running.write_eof(), loop).result()

    threading.Thread(target=pump, name="stdin", daemon=True).start()


def _read(descriptor: int) -> bytes:
    """What can be read; nothing at the end, and where the terminal is gone."""
    try:
        return os.read(descriptor, READ_SIZE)
    except OSError:
        return b""


def _start_resizing(execs: Execs, exec_id: str, terminal: int) -> asyncio.Task[None]:
    changed = asyncio.Event()
    changed.set()
    asyncio.get_running_loop().add_signal_handler(signal.SIGWINCH, changed.set)

    async def follow() -> None:
        while True:
            await changed.wait()
            changed.clear()
            columns, rows = os.get_terminal_size(terminal)
            with suppress(EngineError):  # it has ended, or its own stream tells what is wrong
                await execs.resize(exec_id, columns=columns, rows=rows)

    return asyncio.create_task(follow())


@contextmanager
def raw_mode(terminal: int) -> Iterator[None]:
    """Every key goes to who reads the terminal, none to the terminal's own editing and signals.
    Its modes come back at the end."""
    import termios
    import tty

    modes = termios.tcgetattr(terminal)
    tty.setraw(terminal, termios.TCSANOW)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSANOW, modes)
