"""What a command waits for, told to the person who waits with it."""

import asyncio
import sys
from time import monotonic

import click

from tracekeeper.cli.report import duration
from tracekeeper.cli.terminal import is_terminal

SLOW = 1.0
"""Seconds after which what is waited for is told, and between looks at the clock."""
ERASE = "\r\x1b[K"


class Progress:
    """Tells on stderr what is done, if it takes a while: on a terminal in one line that shows the
    time and goes again, elsewhere once."""

    def __init__(self) -> None:
        self._live = is_terminal(sys.stderr)
        self._what = ""
        self._since = 0.0
        self._shown = False

    def begin(self, what: str) -> None:
        """From now on it is `what` that is waited for."""
        self.clear()
        self._what, self._since, self._shown = what, monotonic(), False

    def clear(self) -> None:
        """Make room for something else."""
        if self._live and self._shown:
            click.echo(ERASE, nl=False, err=True)

    async def run(self) -> None:
        """Tell it until this is cancelled."""
        while True:
            await asyncio.sleep(SLOW)
            if self._live:
                click.echo(f"{ERASE}… {self._what}, {self._waited()}", nl=False, err=True)
            elif not self._shown:
                click.echo(f"… {self._what}", err=True)
            self._shown = True

    def _waited(self) -> str:
        return duration(max(1, round(monotonic() - self._since)))
