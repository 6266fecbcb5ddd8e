"""``tracekeeper engine``: what can be known of a Docker Engine and of the way to it."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

import click
import msgspec

from tracekeeper.cli.terminal import Palette, stdout_palette

if TYPE_CHECKING:
    from tracekeeper.engine.check.finding import Finding

MARKS = {
    "ok": ("✓", "green"),
    "note": ("·", "dim"),
    "warning": ("!", "yellow"),
    "error": ("✗", "red"),
}
SUMMED = ("warning", "error")


@click.group(name="engine")
def command() -> None:
    """Look at a Docker Engine and the way to it."""


@command.command(name="check")
@click.argument("url", required=False)
@click.option("--docker-context", metavar="NAME", help="The engine of a docker context.")
@click.option(
    "--idle",
    type=click.FloatRange(0),
    default=0.0,
    metavar="N",
    help="Prove by experiment that a connection survives N quiet seconds.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
def check_command(url: str | None, docker_context: str | None, idle: float, as_json: bool) -> int:
    """Check the way to the engine at URL, or to the one that `run` would use.

    Each finding is one sentence. What is not as it should be is repeated at the end, the worst
    first, with what to do about it.

    \b
    Exit status:
      0  nothing that breaks jobs
      1  an error was found
      2  wrong usage
    """
    from tracekeeper.engine.check.checks import check
    from tracekeeper.engine.hosts import find_host

    host = find_host(os.environ, url=url or "", context=docker_context or "")
    if not as_json:
        click.echo(f"Checking {host.url}")
    shown = asyncio.run(_collect(check(host, idle=idle), None if as_json else stdout_palette()))
    failed = any(finding.level == "error" for finding in shown)
    if as_json:
        report = {"v": 1, "url": host.url, "ok": not failed, "findings": shown}
        click.echo(msgspec.json.encode(report))
    else:
        click.echo(_summary(shown, stdout_palette()))
    return int(failed)


async def _collect(findings: AsyncIterator["Finding"], palette: Palette | None) -> list["Finding"]:
    """All findings; each is shown at once if there is a palette."""
    shown = []
    async for finding in findings:
        shown.append(finding)
        if palette:
            mark, style = MARKS[finding.level]
            click.echo(f"{palette(mark, style)} {finding.sentence}")
    return shown


def _summary(findings: Sequence["Finding"], palette: Palette) -> str:
    """What is wrong, the worst first, and what to do."""
    from tracekeeper.engine.check.finding import worst_first

    wrong = [finding for finding in worst_first(findings) if finding.level in SUMMED]
    if not wrong:
        return "\nAll fine."
    lines = [
        f"{palette(finding.level, MARKS[finding.level][1])}: {finding.sentence}\n  {finding.hint}"
        for finding in wrong
    ]
    return "\n".join(["", *lines])
