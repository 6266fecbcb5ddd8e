"""``tracekeeper engine``: what can be known of a Docker Engine and of the way to it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

import click
import msgspec

from tracekeeper.cli.named_engine import NamedEngine, loaded_config, named_engine
from tracekeeper.cli.options import docker_config_option, docker_context_option, seconds
from tracekeeper.cli.progress import Progress
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


@click.group(name="engine", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Look at a Docker Engine and the way to it."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@command.command(name="check", short_help="Check everything on the way that can break a job.")
@click.argument("url", required=False)
@docker_context_option
@docker_config_option
@click.option(
    "--idle",
    type=seconds,
    default=0.0,
    metavar="N",
    help="Prove by experiment that a connection survives N quiet seconds.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
def check_command(
    url: str | None,
    docker_context: str | None,
    docker_config: str | None,
    idle: float,
    as_json: bool,
) -> int:
    """Check the way to the engine at URL, or to the one that `run` would use.

    With --docker-config it is the engine of that file, reached as a run with it would do.

    Each finding is one sentence. What is not as it should be is repeated at the end, the worst
    first, with what to do about it.

    \b
    Exit status:
      0  nothing that breaks jobs
      1  an error was found
      2  wrong usage
    """
    from tracekeeper.engine.host import shown as shown_url

    engine = named_engine(url or "", docker_context or "", loaded_config(docker_config))
    name = shown_url(engine.host.url)
    if not as_json:
        click.echo(f"Checking {name}")
    shown = asyncio.run(_collect(engine, idle, None if as_json else stdout_palette()))
    failed = any(finding.level == "error" for finding in shown)
    if as_json:
        report = {"v": 1, "url": name, "ok": not failed, "findings": shown}
        click.echo(msgspec.json.encode(report))
    else:
        click.echo(_summary(shown, stdout_palette()))
    return int(failed)


async def _findings(
    engine: NamedEngine, idle: float, progress: Progress
) -> AsyncIterator["Finding"]:
    """What is to be said of the configuration file, then what the check finds."""
    from tracekeeper.engine.check.checks import check
    from tracekeeper.engine.check.finding import warning

    for sentence in engine.warnings:
        yield warning("config", sentence, "correct the file, or leave the key out")
    async for finding in check(engine.host, idle=idle, begins=progress.begin):
        yield finding


async def _collect(engine: NamedEngine, idle: float, palette: Palette | None) -> list["Finding"]:
    """All findings; each is shown at once if there is a palette."""
    shown, progress = [], Progress()
    waiting = asyncio.create_task(progress.run())
    try:
        async for finding in _findings(engine, idle, progress):
            shown.append(finding)
            if palette:
                progress.clear()
                click.echo(_line(finding, palette))
    finally:
        waiting.cancel()
        progress.clear()
    return shown


def _line(finding: "Finding", palette: Palette) -> str:
    """A finding; what to do is told at the end, where that names it."""
    mark, style = MARKS[finding.level]
    hint = "" if finding.level in SUMMED or not finding.hint else f"\n  {finding.hint}"
    return f"{palette(mark, style)} {finding.sentence}{palette(hint, 'dim')}"


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
