"""A run for a person: live lines with a coloured job prefix, a status line on a terminal, and a
closing report."""

import sys
from collections.abc import Sequence
from time import monotonic

import click

from tracekeeper import events
from tracekeeper.cli.report import closing_table, duration, failed_jobs, result_sentence
from tracekeeper.cli.terminal import (
    PREFIX_COLOURS,
    StatusArea,
    clip,
    columns,
    is_terminal,
    pad,
    stdout_palette,
    width,
)
from tracekeeper.cli.viewer import Shown

LONGEST_PREFIX = 30
FIRST_WAIT = 1.0
"""Seconds after which an unfinished line is written where there is no status area. Doubled each
time it is written again, so that a progress bar does not fill a file."""
OVER = ("success", "failed", "canceled", "skipped", "manual")
LAST_LINES = 10
"""So many lines of a failed job are repeated at the end."""
TAIL_BYTES = 4096
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
TOLD = {"skipped": "dim", "manual": "dim", "scheduled": "dim", "canceled": "yellow"}


class TextRenderer:
    """Writes a run to stdout; warnings go to stderr."""

    def __init__(self, *, timestamps: bool = False) -> None:
        self.timestamps = timestamps
        self._palette = stdout_palette()
        self._out = sys.stdout.buffer
        self._area = StatusArea(self._out) if is_terminal(sys.stdout) else None
        self._jobs: dict[str, int] = {}
        self._width = 0
        self._run = events.RunStarted(run=0, file="", jobs=())
        self._finished: list[events.JobFinished] = []
        self._statuses: dict[str, str] = {}
        self._partial: dict[int, _Partial] = {}
        self._tails: dict[str, list[bytes]] = {}
        self._frame = 0

    def prefix(self, job: str) -> bytes:
        """The job's name, padded, in its colour."""
        colour = PREFIX_COLOURS[self._jobs[job] % len(PREFIX_COLOURS)]
        name = pad(clip(job, self._width), self._width)
        reset = "\x1b[0m" if self._palette.colour else ""
        return f"{reset}{self._palette(f'{name} │', colour)} ".encode()

    def event(self, event: events.Event, at: int) -> None:
        """See `Renderer.event`."""
        if isinstance(event, events.RunStarted):
            self._begin(event)
        elif isinstance(event, events.JobFinished):
            self._finished.append(event)
            self._statuses[event.name] = event.status
            self._say(event.name, *_ending(event))
        elif isinstance(event, events.JobRetried):
            self._say(event.name, f"trying again: attempt {event.attempt}", "yellow")
        elif isinstance(event, events.JobStatus):
            self._statuses[event.name] = event.status
            if event.status in TOLD:
                self._say(event.name, event.status, TOLD[event.status])
        elif isinstance(event, events.Warned):
            self._warn(event)
        elif isinstance(event, events.RunFinished):
            self._end(event)

    def text(self, shown: Shown, lines: bytes) -> None:
        """See `Renderer.text`."""
        self._partial.pop(shown.attempt.id, None)
        self._remember(shown, lines)
        if self._area and b"\r" in lines:
            split = lines.removesuffix(b"\n").split(b"\n")
            lines = b"".join(_overwritten(line, shown.prefix) for line in split)
        self._write(lines)

    def tick(self, running: Sequence[Shown]) -> None:
        """See `Renderer.tick`."""
        if self._area is None:
            for shown in running:
                self._write_partial(shown)
            self._out.flush()
            return
        self._frame += 1
        lines = [shown.unfinished for shown in running if shown.unfinished]
        self._area.show([*lines, self._status(running).encode()] if running else [])

    def _begin(self, event: events.RunStarted) -> None:
        self._run = event
        self._jobs = {job.name: index for index, job in enumerate(event.jobs)}
        longest = max((width(name) for name in self._jobs), default=0)
        self._width = min(longest, LONGEST_PREFIX)

    def _say(self, job: str, text: str, *styles: str) -> None:
        self._write(self.prefix(job) + self._palette(text, *styles).encode() + b"\n")

    def _warn(self, event: events.Warned) -> None:
        self._clear()
        place = f"{event.file}:{event.line}:{event.column}: " if event.file else ""
        click.secho(f"{place}warning: {event.message}", fg="yellow", err=True)

    def _end(self, event: events.RunFinished) -> None:
        self._write(closing_table(self._run, self._finished, self._statuses, self._palette))
        failed = failed_jobs(self._finished)
        for job in failed:
            self._write(self._last_words(job))
        self._write(result_sentence(self._run, event, failed, self._palette))
        self._out.flush()

    def _remember(self, shown: Shown, lines: bytes) -> None:
        """Keep the last lines of a job, to repeat them if it fails."""
        last = self._tails.get(shown.name, []) if len(lines) < TAIL_BYTES else []
        split = lines[-TAIL_BYTES:].removesuffix(b"\n").split(b"\n")
        self._tails[shown.name] = [*last, *split][-LAST_LINES:]

    def _last_words(self, job: str) -> bytes:
        title = self._palette(f"The last lines of {job}:", "bold").encode()
        return b"\n".join([b"", title, *self._tails.get(job, []), b""])

    def _write(self, data: bytes) -> None:
        self._clear()
        self._out.write(data)
        if self._area:
            self._out.flush()

    def _clear(self) -> None:
        if self._area:
            self._area.clear()

    def _status(self, running: Sequence[Shown]) -> str:
        spinner = SPINNER[self._frame % len(SPINNER)]
        now = monotonic()
        jobs = " · ".join(f"{shown.name} {duration(now - shown.began)}" for shown in running)
        over = sum(status in OVER for status in self._statuses.values())
        return clip(f"{spinner} {over}/{len(self._jobs)} {jobs}", columns() - 1)

    def _write_partial(self, shown: Shown) -> None:
        """Write an unfinished line as a line of its own, once it has been so for a while."""
        line = shown.unfinished
        if not line:
            return
        partial = self._partial.setdefault(shown.attempt.id, _Partial())
        if partial.is_due(line):
            self._write(line + b"\n")


class _Partial:
    """When to write an unfinished line (again)."""

    def __init__(self) -> None:
        self._wait = FIRST_WAIT
        self._since = monotonic()
        self._written = b""

    def is_due(self, line: bytes) -> bool:
        """Whether `line` is news and it is time to write it."""
        if line == self._written or monotonic() - self._since < self._wait:
            return False
        self._since = monotonic()
        self._wait *= 2
        self._written = line
        return True


def _overwritten(line: bytes, prefix: bytes) -> bytes:
    """What a terminal would show of a line with carriage returns, behind its prefix."""
    _, returned, last = line.removesuffix(b"\r").rpartition(b"\r")
    return (prefix + last if returned else line) + b"\n"


def _ending(event: events.JobFinished) -> tuple[str, str]:
    """How a job ended, in words, and its colour."""
    took = duration(event.seconds)
    if event.status == "success":
        return f"passed in {took}", "green"
    if event.status == "canceled":
        return f"canceled after {took}", "yellow"
    if event.allow_failure:
        return f"failed in {took}: {event.message} (allowed)", "yellow"
    return f"failed in {took}: {event.message}", "red"
