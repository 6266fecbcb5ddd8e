"""What is said at the end of a run: a table of jobs, what is wrong with logs, the result."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from tracekeeper import events
from tracekeeper.cli.cells import clip, plain, width
from tracekeeper.cli.table import table
from tracekeeper.cli.terminal import Palette

PASSED, INTERRUPTED = 0, 130
HEAD = ("job", "status", "duration", "log", "crc32", "verdict")
STATUS, VERDICT = 1, 5
NUMBERS = (2, 3)
SHORTEST_NAME = 24
STATUS_STYLES = {"passed": "green", "failed": "red", "allowed": "yellow", "canceled": "yellow"}
ENDINGS = {"allowed": "failed as allowed"}
VERDICT_STYLES = {"proven": "dim", "limited": "yellow", "unproven": "red", "altered": "red"}


class JobEnd(msgspec.Struct):
    """What is known of a job: its status, its latest attempt, and how that ended."""

    name: str
    status: str = "created"
    attempt: int = 1
    finished: events.JobFinished | None = None

    @property
    def ending(self) -> str:
        """Its status in one word, as GitLab's pages have it; ``allowed`` is a failure too."""
        if self.status == "failed" and self.finished and self.finished.allow_failure:
            return "allowed"
        return {"success": "passed", "created": "not started"}.get(self.status, self.status)


def closing_table(jobs: Sequence[JobEnd], palette: Palette, columns: int) -> str:
    """All jobs of a run: how they ended, and what is known of their logs."""
    endings = {_status(job): job.ending for job in jobs}

    def style(column: int, cell: str) -> Sequence[str]:
        if column == STATUS:
            return (STATUS_STYLES.get(endings[cell], "dim"),)
        if column == VERDICT:
            return (VERDICT_STYLES.get(cell, "dim"),)
        return ("dim",) if column == VERDICT - 1 else ()

    cells = [_row(job) for job in jobs]
    others = sum(2 + max(map(width, column)) for column in [*zip(HEAD, *cells, strict=True)][1:])
    longest = max(SHORTEST_NAME, columns - others)
    rows = [[clip(name, longest), *rest] for name, *rest in cells]
    return f"\n{table(HEAD, rows, palette, style, right=NUMBERS)}\n"


def doubts(jobs: Sequence[JobEnd], palette: Palette) -> str:
    """Each log that is not proven, and why."""
    lines = [
        f"{palette(f'{plain(job.name)}: {end.verdict}', VERDICT_STYLES[end.verdict])}: "
        f"{plain(end.verdict_reason)}\n"
        for job in jobs
        if (end := job.finished) and end.verdict not in ("", "proven")
    ]
    return "\n" + "".join(lines) if lines else ""


def result_sentence(run: int, end: events.RunFinished, jobs: Sequence[JobEnd]) -> str:
    """The result of the run."""
    counts = Counter(job.ending for job in jobs)
    told = [ending for ending in STATUS_STYLES if ending in counts]
    told += [ending for ending in counts if ending not in STATUS_STYLES]
    parts = (f"{counts[ending]} {ENDINGS.get(ending, ending)}" for ending in told)
    return f"Run {run} {_result(end)} {duration(end.seconds)}: {', '.join(parts)}."


def result_style(end: events.RunFinished) -> str:
    """The colour of the result."""
    return {PASSED: "green", INTERRUPTED: "yellow"}.get(end.exit_code, "red")


def duration(seconds: float) -> str:
    """`seconds` as a person says it."""
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
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
        if value < 999.5:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def _result(end: events.RunFinished) -> str:
    if end.exit_code == INTERRUPTED:
        return "was interrupted after"
    return "passed in" if end.exit_code == PASSED else "failed in"


def _row(job: JobEnd) -> list[str]:
    name, end = plain(job.name), job.finished
    if end is None:
        return [name, _status(job), "", "", "", ""]
    checksum = end.checksum.removeprefix("crc32:")
    return [name, _status(job), duration(end.seconds), size(end.bytes), checksum, end.verdict]


def _status(job: JobEnd) -> str:
    remarks = ["allowed"] if job.ending == "allowed" else []
    remarks += [f"attempt {job.attempt}"] if job.attempt > 1 else []
    status = "failed" if job.ending == "allowed" else job.ending
    return f"{status} ({', '.join(remarks)})" if remarks else status
