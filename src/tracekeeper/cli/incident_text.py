"""The results of ``tracekeeper incident``: a table, and what must meet for a log to be lost."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from tracekeeper.cli.incident_words import EXECUTORS, LIVE, VARIANTS, premise, titles, told
from tracekeeper.cli.table import table
from tracekeeper.cli.terminal import Palette
from tracekeeper.net.incident.conditions import Box, Row, merged, prime_boxes
from tracekeeper.net.incident.matrix import Case, Result, Setting, losses

if TYPE_CHECKING:
    from tracekeeper.net.experiment import Measured

HEAD = ("engine by", "firewall then", "live traces", "client")
ALWAYS = (0, 3)
"""The columns that are shown even where they are the same in all rows."""

Tell: TypeAlias = Callable[[Result], Sequence[str]]


def summary(results: Sequence[Result], setting: Setting, palette: Palette) -> str:
    """All rows in a few lines, and what must meet for a log to be lost."""
    lost = sum(result.lost for result in results)
    paragraphs = [
        premise(setting),
        _grouped(results, setting, palette, ("sleep {}",), lambda result: [_calculated(result)]),
        f"{len(results)} rows calculated, with live traces on and off: {lost} lose the log.",
        *_conclusion(results, setting),
    ]
    return "\n\n".join(paragraphs)


def comparison(
    results: Sequence[Result],
    setting: Setting,
    measured: "Mapping[Case, Measured]",
    palette: Palette,
) -> str:
    """What was calculated beside what was measured."""

    def tell(result: Result) -> list[str]:
        found = measured[result.case]
        seen = told(found.ending, found.breaks, lost=found.lost)
        calculated = told(result.outcome.ending, result.outcome.breaks, lost=result.lost)
        return [calculated, seen if found.agrees(result) else f"DIFFERS: {seen}"]

    columns = ("sleep {}: calculated", "measured")
    differing = sum(not measured[result.case].agrees(result) for result in results)
    paragraphs = [
        premise(setting),
        _grouped(results, setting, palette, columns, tell),
        _verdict(len(results), differing),
    ]
    return "\n\n".join(paragraphs)


def _verdict(rows: int, differing: int) -> str:
    if rows == 1:
        return "The lab differs." if differing else "The lab agrees."
    what = f"differs in {differing} of" if differing else "agrees in all"
    return f"The lab {what} {rows} rows."


def _calculated(result: Result) -> str:
    outcome = result.outcome
    at = None if outcome.at is None else outcome.at / 1000
    return told(outcome.ending, outcome.breaks, at, lost=result.lost)


# ------------------------------------------------------------------------------ the table


def _grouped(
    results: Sequence[Result],
    setting: Setting,
    palette: Palette,
    columns: Sequence[str],
    tell: Tell,
) -> str:
    """A table of all rows, those that are told the same in one line; for each sleep `columns`."""
    sleeps = dict.fromkeys(result.case.sleep for result in results)
    cells: dict[Row, list[str]] = {}
    for result in results:
        case = result.case
        row = (case.executor, case.variant, case.live, case.client)
        cells.setdefault(row, []).extend(tell(result))
    groups = merged({row: tuple(texts) for row, texts in cells.items()})
    words: tuple[Mapping[Any, str], ...] = (EXECUTORS, VARIANTS, LIVE, titles(setting))
    names = [[_list(*pair) for pair in zip(box, words, strict=True)] for box, _ in groups]
    shown = [n for n in range(len(HEAD)) if n in ALWAYS or len({name[n] for name in names}) > 1]
    head = [HEAD[n] for n in shown] + [text.format(s) for s in sleeps for text in columns]
    rows = [
        [*(name[n] for n in shown), *texts] for name, (_, texts) in zip(names, groups, strict=True)
    ]
    return table(head, rows, palette, _style)


def _style(_column: int, text: str) -> Sequence[str]:
    return ("red",) if text.startswith(("LOST", "DIFFERS")) else ()


def _list(values: Collection[Any], names: Mapping[Any, str]) -> str:
    if len(values) == len(names):
        return "any"
    return ", ".join(text for name, text in names.items() if name in values)


# ---------------------------------------------------------------------------- what must meet


def _conclusion(results: Sequence[Result], setting: Setting) -> list[str]:
    """The smallest sets of conditions that lose a log, and what decides nothing."""
    rows = losses(results)
    boxes = prime_boxes(rows)
    if not boxes:
        return ["No log is lost."]
    everything = tuple(map(frozenset, zip(*rows, strict=True)))
    conditions = [_conditions(box, everything, setting) for box in boxes]
    if not all(conditions):
        return ["Every log is lost."]
    sets = ["\n".join(f"  - {line}" for line in lines) for lines in conditions]
    intro = "A log is lost when all of these meet:\n"
    return [intro + "\nor these:\n".join(sets), *_irrelevant(boxes, everything)]


def _conditions(box: Box, everything: Box, setting: Setting) -> list[str]:
    """The conditions of a box in words; a factor that may have any of its values is none."""
    sentences: tuple[Callable[[Collection[Any]], str], ...] = (
        lambda executors: f"the engine is reached by {_or(executors, EXECUTORS)}",
        lambda clients: f"the client has {_or(clients, titles(setting))}",
        lambda variants: f"the firewall {_or(variants, VARIANTS)} once it has forgotten",
        lambda live: f"live traces are {_or(live, LIVE)}",
        lambda sleeps: f"the job is silent for {_silence(sleeps, setting.idle)}",
    )
    return [
        sentence(values)
        for sentence, values, possible in zip(sentences, box, everything, strict=True)
        if values != possible
    ]


def _silence(sleeps: Collection[int], idle: int) -> str:
    seconds = " or ".join(map(str, sorted(sleeps)))
    relation = f", longer than the firewall's {idle} s" if min(sleeps) > idle else ""
    return f"{seconds} s{relation}"


def _irrelevant(boxes: Sequence[Box], everything: Box) -> list[str]:
    """Of what one may suspect, that which matters nowhere."""
    suspects = {2: "what the firewall does once it has forgotten", 3: "live traces on or off"}
    names = [
        name
        for factor, name in suspects.items()
        if len(everything[factor]) > 1 and all(box[factor] == everything[factor] for box in boxes)
    ]
    return [f"No matter: {'; '.join(names)}."] if names else []


def _or(values: Collection[Any], names: Mapping[Any, str]) -> str:
    *first, last = (text for name, text in names.items() if name in values)
    return f"{', '.join(first)} or {last}" if first else last
