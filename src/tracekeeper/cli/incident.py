"""``tracekeeper incident``: which logs are lost, and what must meet for it."""

import click

from tracekeeper.errors import UsageError
from tracekeeper.net.incident.clients import ClientName, Executor, clients, every
from tracekeeper.net.incident.firewall import Variant
from tracekeeper.net.incident.matrix import (
    CLIENTS,
    EXECUTORS,
    VARIANTS,
    Case,
    Result,
    Setting,
    calculate,
    cases,
)
from tracekeeper.net.incident.options import SocketOptions

IDLE, LAB_IDLE = 600, 10
LAB_DAEMON = 15
"""dockerd has a keepalive of 15 s on connections that it accepts since it is built by Go 1.13."""
SECONDS = click.IntRange(1, 86_400)


@click.command(name="incident")
@click.option(
    "--sleep",
    "sleeps",
    type=SECONDS,
    multiple=True,
    metavar="N",
    help="How long the job is silent; may be repeated (default: just below and above the limit).",
)
@click.option(
    "--idle",
    type=SECONDS,
    metavar="N",
    help=f"When the firewall forgets a connection (default {IDLE} s; with --real {LAB_IDLE} s).",
)
@click.option(
    "--executor",
    "executors",
    type=click.Choice(EXECUTORS),
    multiple=True,
    help="Only this way to the engine.",
)
@click.option(
    "--client", "names", type=click.Choice(CLIENTS), multiple=True, help="Only this client."
)
@click.option(
    "--variant",
    "variants",
    type=click.Choice(VARIANTS),
    multiple=True,
    help="What comes of packets of a forgotten connection: the firewall drops them, rejects them "
    "with an RST, or reopens the connection for those of the client's side.",
)
@click.option(
    "--daemon-keepalive",
    "daemon",
    type=click.IntRange(0, 86_400),
    metavar="N",
    help="The engine's own keepalive (default 0: none, as in 2019; today's engines have 15 s).",
)
@click.option("--explain", is_flag=True, help="Show one row packet by packet.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--real", is_flag=True, help="Measure the same rows in the lab too (root, Linux).")
def command(
    sleeps: tuple[int, ...],
    idle: int | None,
    executors: tuple[Executor, ...],
    names: tuple[ClientName, ...],
    variants: tuple[Variant, ...],
    daemon: int | None,
    explain: bool,
    as_json: bool,
    real: bool,
) -> int:
    """Calculate the incident: a job is silent for longer than a firewall remembers a connection.

    On virtual time, with the rules of TCP, its keepalive and the firewall: every way to an engine,
    each kind of client, with live traces and without. Which of them lose the rest of the log, and
    what must meet for it? Options choose rows; see one by, say,
    `tracekeeper incident --explain --executor tls --client none --variant drop --sleep 601`.

    \b
    Exit status:
      0  calculated; with --real: and measured to be so
      1  --real: the lab differs from the calculation, or cannot be had
      2  wrong usage
    """
    if real and (explain or daemon is not None):
        raise UsageError("--real measures a real engine: not with --explain or --daemon-keepalive")
    idle = idle or (LAB_IDLE if real else IDLE)
    engine = every(daemon) if (daemon := LAB_DAEMON if real else daemon) else SocketOptions()
    setting = Setting(idle, clients(idle), engine)
    rows = cases(
        sorted(set(sleeps)) or _around(idle, 2 if real else 1),
        executors or EXECUTORS,
        names or CLIENTS,
        variants or VARIANTS,
    )
    if real:
        return _measure(rows, setting, as_json=as_json)
    results = calculate(rows, setting)
    if explain:
        results = _only_row(results)
    click.echo(_shown(results, setting, explain=explain, as_json=as_json))
    return 0


def _around(idle: int, distance: int) -> list[int]:
    return [max(1, idle - distance), idle + distance]


def _only_row(results: list[Result]) -> list[Result]:
    """Raises UsageError unless `results` are one row, apart from live traces."""
    rows = [result for result in results if result.case.live]
    if len(rows) > 1:
        raise UsageError(
            f"--explain shows one row, and {len(rows)} are chosen (live traces apart)",
            hint="choose one: --executor tls --client none --variant drop --sleep 601",
        )
    return rows


def _shown(results: list[Result], setting: Setting, *, explain: bool, as_json: bool) -> str:
    if as_json:
        from tracekeeper.cli.incident_json import encoded

        return encoded(results, setting, events=explain)

    if explain:
        from tracekeeper.cli.incident_course import course

        return course(results[0], setting)

    from tracekeeper.cli.incident_text import summary
    from tracekeeper.cli.terminal import stdout_palette

    return summary(results, setting, stdout_palette())


def _measure(rows: list[Case], setting: Setting, *, as_json: bool) -> int:
    """Measure each row in the lab and compare; the exit status."""
    from tracekeeper.net.experiment import duration, measure, watched

    rows = [case for case in rows if case.live]  # the lab has no server
    what = f"{len(rows)} row{'' if len(rows) == 1 else 's'}"
    about = f"about {duration(rows, setting)} s"
    click.echo(f"Measuring {what} in the lab, side by side: {about} …", err=True)
    results = calculate(rows, setting, after=watched(setting.idle))
    measured = measure(rows, setting)
    if as_json:
        from tracekeeper.cli.incident_json import encoded

        click.echo(encoded(results, setting, measured))
    else:
        from tracekeeper.cli.incident_text import comparison
        from tracekeeper.cli.terminal import stdout_palette

        click.echo(comparison(results, setting, measured, stdout_palette()))
    return int(not all(measured[result.case].agrees(result) for result in results))
