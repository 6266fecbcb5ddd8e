"""``tracekeeper debug``: a shell in a job's container."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tracekeeper.cli.options import complete_kept_job, data_option, data_path, directory_option
from tracekeeper.cli.stdout import Stdout
from tracekeeper.engine.errors import CommandNotStarted
from tracekeeper.errors import UsageError
from tracekeeper.local.data import DataDirectory

if TYPE_CHECKING:
    from tracekeeper.local.debug import Streams

ENDING = (signal.SIGTERM, signal.SIGHUP)


@click.command(name="debug")
@click.argument("job", shell_complete=complete_kept_job)
@click.argument("command", nargs=-1, metavar="[-- COMMAND [ARGUMENT ...]]")
@directory_option
@data_option
@click.option(
    "--run",
    "number",
    type=click.IntRange(1),
    metavar="N",
    help="Which run (default: the newest in which JOB runs or was kept).",
)
@click.option("--shell", metavar="SH", help="Default: bash if the image has it, else sh.")
@click.option("--remove", is_flag=True, help="Remove what is kept of JOB instead.")
def command(
    job: str,
    command: tuple[str, ...],
    directory: Path,
    data: Path | None,
    number: int | None,
    shell: str | None,
    remove: bool,
) -> int:
    """Open a shell in the container of JOB, which runs or was kept by `run --keep-containers`.

    The shell has the job's environment and begins in its project directory. With a COMMAND that
    runs instead. Where stdin or stdout is no terminal, the command gets none either: stdin is
    passed on up to its end, stdout and stderr stay apart.

    \b
    Exit status:
      that of the shell or COMMAND;
      1         the container or the engine cannot be had
      2         there is no such container, or wrong usage
      126, 127  there is no such shell or COMMAND, or it cannot be executed
    """
    if remove and (command or shell):
        raise UsageError("--remove opens no shell: it cannot go with --shell or a command")
    if command and shell:
        raise UsageError("--shell and a command cannot go together")
    from tracekeeper.local import debug

    kept = DataDirectory.find(data_path(directory, data))
    if remove:
        if shells := asyncio.run(debug.remove_kept(kept, job, run=number or 0)):
            what = "a shell was" if shells == 1 else f"{shells} shells were"
            click.echo(f"tracekeeper: {what} open in what is removed now", err=True)
        return 0
    target = debug.find_target(kept, job, run=number or 0)
    words = command or ((shell,) if shell else debug.SHELL)
    streams = _streams()
    try:
        with _raw(streams):
            return _until_signal(lambda: debug.debug(kept, target, words, streams))
    except CommandNotStarted as error:
        click.echo(f"tracekeeper: {error.message}", err=True)
        return error.exit_code


def _streams() -> "Streams":
    from tracekeeper.local.debug import Streams

    outputs = {1: Stdout(), 2: Stdout(sys.stderr)}

    def show(stream: int, data: bytes) -> None:
        outputs[stream].write(data)
        outputs[stream].flush()

    stdin = sys.stdin.fileno()
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return Streams(stdin, show)
    return Streams(stdin, show, terminal=stdin, term=os.environ.get("TERM", ""))


def _raw(streams: "Streams") -> AbstractContextManager[None]:
    if streams.terminal is None:
        return nullcontext()
    from tracekeeper.engine.terminal import raw_mode

    return raw_mode(streams.terminal)


def _until_signal(work: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """Do `work`; a signal that asks us to end cancels it, so that all is put back in order."""
    ended_by: list[int] = []

    async def main() -> int:
        task = asyncio.ensure_future(work())
        loop = asyncio.get_running_loop()

        def stop(number: int) -> None:
            ended_by.append(number)
            task.cancel()

        for number in ENDING:
            loop.add_signal_handler(number, stop, number)
        return await task

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        return 128 + ended_by[0]
