"""The incident as a picture: the same job twice, on one linear axis of time. Pure.

Whatever stands in it comes from the simulation's events. It brings its own background, so that it
can be read on light and dark pages.
"""

from collections.abc import Iterator, Sequence
from html import escape
from math import log2

from tracekeeper.net.incident.clients import ClientName, clients
from tracekeeper.net.incident.simulation import Outcome, Scenario, simulate
from tracekeeper.net.incident.timeline import Event

IDLE, SLEEP, END = 600, 700, 770
"""Seconds: when the firewall forgets, how long the job is silent, where the axis ends."""

WIDTH, HEIGHT = 880, 366
LEFT, RIGHT = 32, 848
TOP, LANE, AXIS = 132, 118, 298
CROSS = 8
"""How wide the sign of a lost packet is; those that would overlap are one, with their number."""
"""Where the first lane's line is, how far below it the next one, and where the axis is."""

_AFTER = f"after {IDLE // 60} quiet minutes"

STYLE = """
text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328 }
.title { font-size: 17px; font-weight: 600 }
.who { font-weight: 600 }
.dim { fill: #59636e }
.mono { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace }
.card { fill: #ffffff; stroke: #d1d9e0 }
.line { stroke: #818b98; fill: none }
.band { fill: #9a6700; opacity: .14 }
.forgotten { stroke: #cf222e; stroke-width: 1.5; stroke-dasharray: 4 3 }
.data { stroke: #0969da; stroke-width: 3 }
.lost { stroke: #cf222e; stroke-width: 2; fill: none }
.keepalive { fill: #1a7f37 }
.bad { fill: #cf222e } .good { fill: #1a7f37 }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc } .dim { fill: #9198a1 }
  .card { fill: #0d1117; stroke: #3d444d } .line { stroke: #656c76 }
  .band { fill: #d29922; opacity: .22 }
  .forgotten, .lost { stroke: #f85149 } .data { stroke: #4493f8 }
  .keepalive, .good { fill: #3fb950 } .bad { fill: #f85149 }
}
"""


def svg() -> str:
    """The picture."""
    losing, keeping = _play("30s"), _play("ours")
    parts = [
        _text(LEFT, 36, f"The same job twice, behind a firewall that forgets {_AFTER}", "title"),
        _text(LEFT, 60, f'date; sleep {SLEEP}; echo "Hello world!"; date; exit 1', "mono dim"),
        *_lane(TOP, "As in the incident: no keepalive over TLS", losing),
        *_lane(TOP + LANE, "Tracekeeper: a keepalive every 15 s, set before TLS", keeping),
        *_axis(AXIS),
        *_legend(HEIGHT - 22),
    ]
    body = "\n".join(parts)
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" \
width="{WIDTH}" height="{HEIGHT}" role="img" aria-labelledby="title description">
<title id="title">The same job twice: one connection loses Hello world!, one keeps it</title>
<desc id="description">Above, nothing is sent for {IDLE} seconds, the firewall forgets the \
connection, and all that follows is dropped. Below, a keepalive every 15 seconds keeps it known, \
and the output arrives.</desc>
<style>{STYLE}</style>
<rect class="card" x=".5" y=".5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="8"/>
{body}
</svg>
"""


def _play(name: ClientName) -> Outcome:
    client = clients(IDLE)[name]
    return simulate(Scenario("tls", client, "drop", SLEEP * 1000, IDLE * 1000))


def _lane(y: int, who: str, outcome: Outcome) -> Iterator[str]:
    """One connection: what is on its line, and above it who it is and what became of the log."""
    lost = outcome.received != outcome.log
    what = "Hello world! is lost, and nobody is told" if lost else "Hello world! arrives"
    yield _text(LEFT, y - 32, who, "who")
    yield _text(RIGHT, y - 32, what, "bad" if lost else "good", anchor="end")
    yield from _silence(y, outcome.events)
    yield f'<path class="line" d="M{LEFT} {y}H{RIGHT}"/>'
    for event in outcome.events:
        if not event.fate:
            yield from _mark(y, event)
    yield from _crosses(y, [_x(event.at) for event in outcome.events if event.fate])


def _silence(y: int, events: Sequence[Event]) -> Iterator[str]:
    """The band from the last packet to the moment at which the firewall forgets."""
    for index, event in enumerate(events):
        if event.kind != "forgotten":
            continue
        begin, end = _x(events[index - 1].at), _x(event.at)
        yield (
            f'<rect class="band" x="{begin}" y="{y - 22}" width="{end - begin:.1f}" height="44"/>'
        )
        yield f'<path class="forgotten" d="M{end} {y - 26}V{y + 26}"/>'
        middle = (begin + end) / 2
        yield _text(middle, y - 6, "not one packet", "dim", anchor="middle")
        yield _text(end - 6, y + 40, "state forgotten here", "bad", anchor="end")
        yield _text(RIGHT, y + 40, "sent again, dropped again", "bad", anchor="end")


def _mark(y: int, event: Event) -> Iterator[str]:
    """A packet on the line: what the client sends stands above it, what the engine sends below."""
    x = _x(event.at)
    if event.kind == "data":
        height = 4 * log2(event.size)
        yield f'<path class="data" d="M{x} {y - height / 2:.1f}v{height:.1f}"/>'
    elif event.kind in ("keepalive", "keepalive_ack"):
        side = -5 if event.origin == "client" else 5
        yield f'<circle class="keepalive" cx="{x}" cy="{y + side}" r="2.6"/>'


def _crosses(y: int, places: Sequence[float]) -> Iterator[str]:
    """What the firewall lets vanish."""
    while places:
        near = [x for x in places if x - places[0] < CROSS]
        x, places = near[0], places[len(near) :]
        yield f'<path class="lost" d="M{x - 4:.1f} {y - 4}l8 8m0 -8l-8 8"/>'
        if len(near) > 1:
            yield _text(x, y - 10, f"{len(near)}×", "bad", anchor="middle")


def _axis(y: int) -> Iterator[str]:
    yield f'<path class="line" d="M{LEFT} {y}H{RIGHT}"/>'
    for minute in range(END // 60 + 1):
        x = _x(minute * 60_000)
        yield f'<path class="line" d="M{x} {y}v5"/>'
        unit = " min" if minute == 0 else ""
        yield _text(x, y + 20, f"{minute}{unit}", "dim", anchor="middle")


def _legend(y: int) -> Iterator[str]:
    """One sign of each kind, with its name."""
    signs = (
        (f'<path class="data" d="M{{x}} {y - 12}v15"/>', "data"),
        (
            (
                f'<circle class="keepalive" cx="{{x}}" cy="{y - 9}" r="2.6"/>'
                f'<circle class="keepalive" cx="{{x}}" cy="{y + 1}" r="2.6"/>'
            ),
            "keepalive and its acknowledgement",
        ),
        (f'<path class="lost" d="M{{x}} {y - 4}m-4 -4l8 8m0 -8l-8 8"/>', "dropped by the firewall"),
    )
    x = LEFT + 4
    for sign, name in signs:
        yield sign.format(x=x)
        yield _text(x + 12, y, name, "dim")
        x += 44 + 7 * len(name)


def _x(at: int) -> float:
    """Where a time in milliseconds is."""
    return round(LEFT + 4 + (RIGHT - LEFT - 8) * at / (END * 1000), 1)


def _text(x: float, y: float, text: str, style: str, anchor: str = "start") -> str:
    return f'<text class="{style}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'
