"""``tracekeeper logs``: any kept log, also while it is written."""

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from tracekeeper.cli.connections import health
from tracekeeper.cli.escapes import EscapeFilter
from tracekeeper.cli.options import complete_kept_job, data_option, data_path, directory_option
from tracekeeper.cli.stdout import Stdout
from tracekeeper.cli.terminal import Palette, stdout_palette, wants_colour
from tracekeeper.errors import UsageError
from tracekeeper.local.data import DataDirectory
from tracekeeper.local.feed import TraceText
from tracekeeper.local.logs import POLL, KeptLog, followed_logs, kept_logs


@click.command(name="logs")
@click.argument("job", required=False, shell_complete=complete_kept_job)
@directory_option
@data_option
@click.option(
    "--run", "number", type=click.IntRange(1), metavar="N", help="Which run (default: the newest)."
)
@click.option("-f", "--follow", is_flag=True, help="Go on until the job, or the run, has ended.")
@click.option(
    "--raw", is_flag=True, help="Byte by byte as written: section marks, control sequences."
)
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
) -> int:
    """Show the log of JOB, or of every job of a run.

    JOB may be a parallel job: all its instances are shown. Without --run it is the newest run
    that has the log; with --follow a run that goes on. Logs are shown one after the other, in the
    order in which their jobs began; those of jobs that begin later follow.

    \b
    Exit status:
      0  shown; with --ledger: no log is altered
      1  a log cannot be read; with --ledger: one is altered
      2  there is no such log, or wrong usage
    """
    if ledger and (follow or raw or timestamps):
        raise UsageError("--ledger shows no text: it cannot go with --follow, --raw, --timestamps")
    kept = DataDirectory.find(data_path(directory, data))
    job, number = job or "", number or 0
    if ledger:
        return _print_ledgers(kept_logs(kept, job=job, run=number))
    if follow:
        several = not job
        logs: Iterator[KeptLog] = followed_logs(kept, job=job, run=number)
    else:
        found = kept_logs(kept, job=job, run=number)
        several, logs = len(found) > 1, iter(found)
    shown: list[KeptLog] = []
    for log in logs:
        shown.append(log)
        if several and not raw:
            title = f"── {log.name} (run {log.run.number}) ──"
            click.echo(stdout_palette()(title, "bold"))
        _print_log(log, follow=follow, raw=raw, timestamps=timestamps)
    _print_health(shown)
    return 0


def _print_log(log: KeptLog, *, follow: bool, raw: bool, timestamps: bool) -> None:
    text = TraceText(log.directory.trace, timestamps=timestamps, marks=raw)
    escapes = None if raw else EscapeFilter(colour=wants_colour(sys.stdout))
    out = Stdout()
    goes_on = True
    while goes_on:
        goes_on = follow and log.grows()
        more = True
        while more:
            more, news = text.read()
            out.write(escapes.feed(news) if escapes else news)
        out.flush()
        if goes_on:
            time.sleep(POLL)
    rest = text.rest()
    out.write(escapes.feed(rest) + escapes.finish() if escapes else rest)
    out.flush()
    _remark(log)


def _print_health(logs: Sequence[KeptLog]) -> None:
    """How the connections fared. Not on stdout, which holds the logs and nothing else."""
    palette = Palette(wants_colour(sys.stderr))
    for line in health(event for log in logs for event in log.connections()):
        click.echo(palette(line, "dim"), err=True)


def _remark(log: KeptLog) -> None:
    """Say so if the log that was shown has no end."""
    if log.grows():
        click.echo(f"tracekeeper: {log.name} still runs; --follow shows the rest", err=True)
    elif not log.closed:
        click.echo(f"tracekeeper: run {log.run.number} was killed; {_after_kill(log)}", err=True)


def _after_kill(log: KeptLog) -> str:
    """Where the rest of a log is whose run was killed."""
    from tracekeeper.local.leftovers import is_followed

    if not log.run.record.exists():
        return "its log ends here"
    if is_followed(log.directory):
        return "its container may have gone on: `tracekeeper run --resume` fetches the rest"
    return "its log ends here; `tracekeeper run --resume` goes on with the run"


def _print_ledgers(logs: Sequence[KeptLog]) -> int:
    from tracekeeper.cli.ledger import read_again, report

    ledgers = [(log, read_again(log)) for log in logs]
    click.echo(
        "\n".join(report(log, ledger, stdout_palette()) for log, ledger in ledgers), nl=False
    )
    return int(any(ledger and ledger.verdict == "altered" for _, ledger in ledgers))
