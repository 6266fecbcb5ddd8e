"""What is said at the end of a run: a table of jobs, the last words of what failed, the result."""

from collections.abc import Mapping, Sequence
from shlex import quote

from tracekeeper import events
from tracekeeper.cli.table import table
from tracekeeper.cli.terminal import Palette

INTERRUPTED = 130
HEAD = ("job", "status", "duration", "log", "crc32", "verdict")
STATUS_STYLES = {
    "success": "green",
    "failed": "red",
    "allowed to fail": "yellow",
    "canceled": "yellow",
}
VERDICT_STYLES = {"proven": "green", "limited": "yellow", "unproven": "red", "altered": "red"}


def closing_table(
    run: events.RunStarted,
    finished: Sequence[events.JobFinished],
    statuses: Mapping[str, str],
    palette: Palette,
) -> bytes:
    """All jobs of the run: how they ended, and what is known of their logs."""
    last = {event.name: event for event in finished}
    rows = [_row(job.name, last.get(job.name), statuses) for job in run.jobs]
    return f"\n{table(HEAD, rows, palette, _style)}\n".encode()


def failed_jobs(finished: Sequence[events.JobFinished]) -> list[str]:
    """The jobs that failed in their last attempt, and were not allowed to."""
    last = {event.name: event for event in finished}
    return [event.name for event in last.values() if _status(event) == "failed"]


def duration(seconds: float) -> str:
    """`seconds` as a person says it."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def size(count: int) -> str:
    """`count` bytes as a person says it."""
    value = float(count)
    for unit in ("B", "KB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def _row(name: str, event: events.JobFinished | None, statuses: Mapping[str, str]) -> list[str]:
    if event is None:
        return [name, statuses.get(name, "created"), "", "", "", ""]
    checksum = event.checksum.removeprefix("crc32:")
    log = size(event.bytes)
    return [name, _status(event), duration(event.seconds), log, checksum, event.verdict]


def _status(event: events.JobFinished) -> str:
    failed_allowed = event.status == "failed" and event.allow_failure
    return "allowed to fail" if failed_allowed else event.status


def _style(column: int, cell: str) -> Sequence[str]:
    styles = {1: STATUS_STYLES, 5: VERDICT_STYLES}.get(column, {})
    return (styles[cell],) if cell in styles else ("dim",) if column in (1, 4) else ()


def result_sentence(
    run: events.RunStarted, end: events.RunFinished, failed: Sequence[str], palette: Palette
) -> bytes:
    """The result of the run, and where to read on."""
    took = duration(end.seconds)
    if end.exit_code == INTERRUPTED:
        text = palette(f"Run {run.run} was interrupted after {took}.", "yellow", "bold")
    elif not failed:
        text = palette(f"Run {run.run} passed in {took}.", "green", "bold")
    else:
        text = palette(f"Run {run.run} failed in {took}: {', '.join(failed)}.", "red", "bold")
        text += f"\nThe whole log: tracekeeper logs {quote(failed[0])}"
    return f"\n{text}\n".encode()
