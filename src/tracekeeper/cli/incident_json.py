"""The results of ``tracekeeper incident`` as one JSON object."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from tracekeeper.net.incident.conditions import Box, prime_boxes
from tracekeeper.net.incident.matrix import FACTORS, Case, Result, Setting, losses
from tracekeeper.net.incident.timeline import Event

if TYPE_CHECKING:
    from tracekeeper.net.experiment import Measured


def encoded(
    results: Sequence[Result],
    setting: Setting,
    measured: "Mapping[Case, Measured] | None" = None,
    *,
    events: bool = False,
) -> str:
    """`rows`, each with what was calculated and, if it was, `measured`; and each set of conditions
    that, met, lose the log (`lost_when`). Times are in seconds."""
    rows = [
        {
            **msgspec.structs.asdict(result.case),
            **_calculated(result),
            **({"events": [_event(e) for e in result.outcome.events]} if events else {}),
            **({"measured": msgspec.structs.asdict(measured[result.case])} if measured else {}),
        }
        for result in results
    ]
    document = {
        "v": 1,
        "idle": setting.idle,
        "daemon_keepalive": setting.daemon.idle,
        "lost_when": [_conditions(box) for box in prime_boxes(losses(results))],
        "rows": rows,
    }
    return msgspec.json.format(msgspec.json.encode(document)).decode()


def _conditions(box: Box) -> dict[str, list[Any]]:
    """The values of each factor that, met, lose the log."""
    return {factor: sorted(values, key=str) for factor, values in zip(FACTORS, box, strict=True)}


def _calculated(result: Result) -> dict[str, Any]:
    outcome = result.outcome
    return {
        "lost": result.lost,
        "received": len(outcome.received),
        "written": len(outcome.log),
        "ending": outcome.ending,
        "at": None if outcome.at is None else outcome.at / 1000,
        "breaks": outcome.breaks,
    }


def _event(event: Event) -> dict[str, Any]:
    return {**msgspec.structs.asdict(event), "at": event.at / 1000}
