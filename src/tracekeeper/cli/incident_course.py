"""One row of ``tracekeeper incident``, packet by packet."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from tracekeeper.cli.incident_words import EXECUTORS, VARIANTS, titles, told
from tracekeeper.net.incident.matrix import Result, Setting
from tracekeeper.net.incident.timeline import Event

LEFT_OUT = {
    "unix": "",
    "tcp": "; of TCP's handshake only the SYN is shown",
    "tls": "; of the handshakes of TCP and TLS only the SYN is shown",
}
ARROWS = {"client": "client → engine", "engine": "client ← engine", "firewall": "firewall"}
WAITS = f"{'…':>11}  nothing more is sent: the client waits for ever"
FIRST, LAST = 4, 2
"""What is shown of a long row of keepalives."""


def course(result: Result, setting: Setting) -> str:
    """What happens, an event a line, with the seconds since the job's start."""
    case, outcome = result.case, result.outcome
    title = f"Engine by {EXECUTORS[case.executor]}; client: {titles(setting)[case.client]}"
    if case.executor != "unix":
        title += f"; firewall: forgets after {setting.idle} s, {VARIANTS[case.variant]} then"
    end = told(outcome.ending, outcome.breaks, lost=result.lost)
    had = f"{len(outcome.received)} of {len(outcome.log)} bytes reached the client"
    waits = [WAITS] if outcome.ending == "open" else []
    lines = [
        f"{title}; sleep {case.sleep}",
        f"Seconds since the job's start{LEFT_OUT[case.executor]}.",
        "",
        *_lines(outcome.events),
        *waits,
        "",
        f"{end}: {had}.",
    ]
    return "\n".join(lines)


def _lines(events: Sequence[Event]) -> Iterator[str]:
    for is_routine, run in groupby(events, _is_routine):
        lines = [_line(event) for event in run]
        left_out = len(lines) - FIRST - LAST
        if is_routine and left_out > 1:
            lines[FIRST:-LAST] = [f"{'…':>11}  {left_out} more of these"]
        yield from lines


def _is_routine(event: Event) -> bool:
    return event.kind in ("keepalive", "keepalive_ack") and not event.fate


def _line(event: Event) -> str:
    if event.kind == "timed_out":
        return f"{event.at / 1000:11.3f}  {event.origin:15}  gives the connection up (ETIMEDOUT)"
    size = f", {event.size} bytes" if event.size else ""
    fate = f"  {event.fate} by the firewall" if event.fate else ""
    return f"{event.at / 1000:11.3f}  {ARROWS[event.origin]:15}  {event.kind}{size}{fate}"
