"""A run for a person: live lines with a coloured job prefix, a status line on a terminal, and a
closing report."""

import sys
from shlex import quote
from time import monotonic

from tracekeeper import events
from tracekeeper.cli import report, terminal
from tracekeeper.cli.area import StatusArea
from tracekeeper.cli.cells import clip, clip_start, pad, plain, width
from tracekeeper.cli.connections import health
from tracekeeper.cli.job_lines import JobLines
from tracekeeper.cli.last_words import last_words
from tracekeeper.cli.report import JobEnd, duration
from tracekeeper.cli.stdout import Stdout
from tracekeeper.local.attempt import Attempt

PREFIX_COLOURS = ("cyan", "magenta", "blue", "yellow", "green")
LONGEST_PREFIX = 30
LAST_LINES = 10
"""So many lines of a failed job are repeated at the end."""
MOST_REPEATED = 8
"""So many failed jobs have their last lines repeated."""
LONGEST_TABLE = 1000
"""Columns of the closing table where there is no terminal."""
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
TURNS = 8
"""Steps of the spinner in a second."""
OVER = ("success", "failed", "canceled", "skipped", "manual")
TOLD = {"skipped": "dim", "manual": "dim", "scheduled": "dim", "canceled": "yellow"}


class TextRenderer:
    """Writes a run to stdout; warnings go to stderr. `logs_command` shows its logs."""

    marks = False

    def __init__(self, *, timestamps: bool = False, logs_command: str = "") -> None:
        self.timestamps = timestamps
        self.palette = terminal.stdout_palette()
        self._logs_command = logs_command
        self._out = Stdout()
        self._area = StatusArea(self._out) if terminal.is_terminal(sys.stdout) else None
        self._run = 0
        self._jobs: dict[str, JobEnd] = {}
        self._attempts: dict[str, Attempt] = {}
        self._prefixes: dict[str, _Prefix] = {}
        self._running: dict[int, _TextLog] = {}
        self._connections: list[events.ConnectionEvent] = []

    def event(self, event: events.Event, at: int) -> None:
        """See `Renderer.event`."""
        if isinstance(event, events.RunStarted):
            self._begin(event)
        elif isinstance(event, events.RunResumed):
            self._begin(event)
            for finished in event.finished:
                self._jobs[finished.name].finished = finished
                self._jobs[finished.name].status = finished.status
        elif isinstance(event, events.JobStarted | events.JobResumed):
            self._jobs[event.name].attempt = event.attempt
            self._jobs[event.name].status = "running"
        elif isinstance(event, events.JobFinished):
            self._finish(event)
        elif isinstance(event, events.JobRetried):
            self._say(event.name, f"trying again: attempt {event.attempt}", "yellow")
        elif isinstance(event, events.JobStatus):
            self._tell_status(event)
        elif isinstance(event, events.Warned):
            self._warn(event)
        elif isinstance(event, events.ConnectionEvent):
            self._connections.append(event)
        elif isinstance(event, events.RunFinished):
            self._end(event)

    def open(self, attempt: Attempt) -> "_TextLog":
        """See `Renderer.open`."""
        self._attempts[attempt.job.name] = attempt
        log = _TextLog(attempt, self, self._prefixes[attempt.job.name])
        self._running[attempt.id] = log
        return log

    def closed(self, attempt: Attempt) -> None:
        """The log of `attempt` has ended."""
        del self._running[attempt.id]

    def write(self, data: bytes) -> None:
        """Write above the status area."""
        if not data:
            return
        if self._area:
            self._area.clear()
        self._out.write(data)

    def tick(self) -> None:
        """See `Renderer.tick`."""
        if self._area is None:
            for log in self._running.values():
                self.write(log.lines.due(log.beyond))
            self._out.flush()
            return
        unfinished = [line for log in self._running.values() if (line := log.unfinished())]
        status = [self._status()] if self._running else []
        self._area.show([*unfinished[: terminal.size().lines // 2], *status])

    def _begin(self, event: events.RunStarted | events.RunResumed) -> None:
        self._run = event.run
        self._jobs = {job.name: JobEnd(job.name) for job in event.jobs}
        longest = min(LONGEST_PREFIX, terminal.size().columns // 3)
        names = {name: clip(plain(name), longest) for name in self._jobs}
        column = max(map(width, names.values()), default=0)
        for index, (name, shown) in enumerate(names.items()):
            colour = PREFIX_COLOURS[index % len(PREFIX_COLOURS)]
            self._prefixes[name] = _Prefix(pad(shown, column), self.palette, colour)

    def _finish(self, event: events.JobFinished) -> None:
        job = self._jobs[event.name]
        job.finished, job.status = event, event.status
        self._say(event.name, *_ending(event))

    def _tell_status(self, event: events.JobStatus) -> None:
        self._jobs[event.name].status = event.status
        if event.status == "manual":
            play = f"manual: `tracekeeper run {quote(plain(event.name))}` plays it"
            self._say(event.name, play, TOLD[event.status])
        elif event.status in TOLD:
            self._say(event.name, event.status, TOLD[event.status])

    def _say(self, job: str, text: str, *styles: str) -> None:
        line = self.palette(plain(text), *styles)
        self.write(self._prefixes[job].coloured + line.encode() + b"\n")

    def _warn(self, event: events.Warned) -> None:
        import click

        if self._area:
            self._area.clear()
        self._out.flush()
        place = f"{event.file}:{event.line}:{event.column}: " if event.file else ""
        click.secho(plain(f"{place}warning: {event.message}"), fg="yellow", err=True)

    def _end(self, event: events.RunFinished) -> None:
        jobs = list(self._jobs.values())
        columns = terminal.size().columns if self._area else LONGEST_TABLE
        self.write(report.closing_table(jobs, self.palette, columns).encode())
        self.write(report.doubts(jobs, self.palette).encode())
        failed = [job for job in jobs if job.ending == "failed"]
        for job in failed[:MOST_REPEATED]:
            self._repeat(job)
        for line in health(self._connections):
            self.write(f"\n{self.palette(line, 'dim')}\n".encode())
        sentence = report.result_sentence(self._run, event, jobs)
        style = report.result_style(event)
        self.write(f"\n{self.palette(sentence, style, 'bold')}\n".encode())
        kept = [job for job in failed if job.name in self._attempts]
        if kept:
            command = f"{self._logs_command} {quote(plain(kept[0].name))}"
            self.write(f"{self.palette('The whole log:', 'dim')} {command}\n".encode())
        self._out.flush()

    def _repeat(self, job: JobEnd) -> None:
        """Say again what a failed job said last."""
        if job.finished is None:
            return
        title = f"{plain(job.name)} failed: {plain(job.finished.message)}"
        self.write(f"\n{self.palette(title, 'red')}\n".encode())
        if job.name not in self._attempts:
            return  # it could not begin
        trace = self._attempts[job.name].directory.trace
        prefix = f"{self.palette('│', 'red')} ".encode()
        self.write(last_words(trace, LAST_LINES, prefix, colour=self.palette.colour))

    def _status(self) -> str:
        spinner = SPINNER[int(monotonic() * TURNS) % len(SPINNER)]
        running = " · ".join(log.status() for log in self._running.values())
        over = sum(job.status in OVER for job in self._jobs.values())
        return f"{spinner} {over}/{len(self._jobs)}  {running}"


class _Prefix:
    """What stands before each line of a job, plain and coloured."""

    def __init__(self, name: str, palette: terminal.Palette, colour: str) -> None:
        self.plain = f"{name} │ "
        self.coloured = f"{palette(f'{name} │', colour)} ".encode()


class _TextLog:
    """Implements `LogView`."""

    def __init__(self, attempt: Attempt, renderer: TextRenderer, prefix: "_Prefix") -> None:
        self._attempt = attempt
        self._renderer = renderer
        self._began = monotonic()
        self._name = plain(attempt.job.name)
        self._prefix = prefix.plain
        self.lines = JobLines(
            prefix.coloured, colour=renderer.palette.colour, timestamps=renderer.timestamps
        )

    @property
    def beyond(self) -> bytes:
        """What is known of the unfinished line and not in the trace; ``…`` is what masking holds
        back."""
        preview = self._attempt.trace.shown
        return preview.text + ("…".encode() if preview.held else b"")

    def text(self, text: bytes) -> None:
        """See `LogView.text`."""
        self._renderer.write(self.lines.feed(text))

    def close(self) -> None:
        """See `LogView.close`."""
        self._renderer.write(self.lines.finish())
        self._renderer.closed(self._attempt)

    def unfinished(self) -> str:
        """The unfinished line for the status area: its end is what matters."""
        line = self.lines.unfinished(self.beyond)
        if not line:
            return ""
        room = terminal.size().columns - 1 - width(self._prefix)
        return self._prefix + clip_start(line, room)

    def status(self) -> str:
        """Name and elapsed time."""
        return f"{self._name} {duration(monotonic() - self._began)}"


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
