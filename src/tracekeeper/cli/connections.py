"""What is said at the end of the connections to Docker Engines: one line for each engine."""

from collections.abc import Iterable

from tracekeeper.cli.cells import plain
from tracekeeper.cli.report import duration
from tracekeeper.events import ConnectionBroke, ConnectionClosed, ConnectionEvent


def health(told: Iterable[ConnectionEvent]) -> list[str]:
    """A sentence for each engine that jobs were connected to, from what was told of them."""
    peers: dict[str, list[ConnectionEvent]] = {}
    for event in told:
        peers.setdefault(event.peer, []).append(event)
    return [plain(f"Connection to {peer}: {_health(events)}") for peer, events in peers.items()]


def _health(told: list[ConnectionEvent]) -> str:
    broke = [event for event in told if isinstance(event, ConnectionBroke)]
    closed = [event for event in told if isinstance(event, ConnectionClosed)]
    parts = [_breaks(broke)]
    if closed:
        parts.append(f"longest silence {duration(max(each.longest_silence for each in closed))}")
    if renewals := sum(each.renewals for each in closed):
        parts.append(f"replaced by plan {_times(renewals)}")
    parts += sorted({_keepalive(each.keepalive) for each in closed} - {""})
    return "; ".join(parts)


def _breaks(broke: list[ConnectionBroke]) -> str:
    if not broke:
        return "never broke"
    if lost := sum(not each.recovered for each in broke):
        return f"broke {_times(len(broke))}, and {_times(lost)} did not come back"
    down = sum(each.seconds for each in broke)
    return f"broke {_times(len(broke))}, came back each time, {duration(down)} without it in all"


def _keepalive(text: str) -> str:
    return {"none": "", "off": "keepalive off"}.get(text, f"keepalive {text}" if text else "")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
