"""``tracekeeper logs``: any kept log, also while it is written."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from tracekeeper.cli.options import complete_kept_job, data_option, data_path
from tracekeeper.local.data import DataDirectory
from tracekeeper.local.feed import PlainLog, RawLog
from tracekeeper.local.logs import KeptLog, kept_logs

POLL = 0.2
"""Seconds between looks at a log that another process writes."""


@click.command(name="logs")
@click.argument("job", required=False, shell_complete=complete_kept_job)
@click.option(
    "-C",
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Project directory (default: the current one).",
)
@data_option
@click.option("--run", "number", type=click.IntRange(1), default=None, help="Default: the newest.")
@click.option("--follow", is_flag=True, help="Go on until the job has ended.")
@click.option("--raw", is_flag=True, help="What was written, byte by byte, with section marks.")
@click.option("--timestamps", is_flag=True, help="Show the stored time of each line.")
@click.option("--ledger", is_flag=True, help="Show bytes and CRC-32 at each hop instead.")
def command(
    job: str | None,
    directory: Path,
    data: Path | None,
    number: int | None,
    follow: bool,
    raw: bool,
    timestamps: bool,
    ledger: bool,
) -> None:
    """Show the log of JOB, or of every job of a run."""
    kept = kept_logs(DataDirectory.find(data_path(directory, data)), job=job or "", run=number or 0)
    if ledger:
        _print_ledgers(kept)
        return
    for log in kept:
        if len(kept) > 1:
            click.secho(f"── {log.name} (run {log.run.number}) ──", bold=True, err=True)
        _print_log(log, follow=follow, raw=raw, timestamps=timestamps)


def _print_log(log: KeptLog, *, follow: bool, raw: bool, timestamps: bool) -> None:
    path = log.directory.trace
    reader = RawLog(path) if raw else PlainLog(path, timestamps=timestamps)
    out = sys.stdout.buffer
    goes_on = True
    while goes_on:
        goes_on = follow and log.grows()
        for text in reader.news():
            out.write(text)
        out.flush()
        if goes_on:
            time.sleep(POLL)
    out.write(reader.finish())
    out.flush()


def _print_ledgers(logs: Sequence[KeptLog]) -> None:
    from tracekeeper.cli.ledger import ledger_report
    from tracekeeper.cli.terminal import stdout_palette

    for log in logs:
        click.echo(ledger_report(log, stdout_palette()))
