"""Durations as GitLab lets people write them: ``1h 30m``, ``3 mins 4 sec``, ``2 days``, ``90``.

The grammar is that of the chronic_duration library, which GitLab uses: numbers, each with a unit
or none for seconds; ``and``, ``with``, ``plus`` and commas between them; or ``1:30:00``. A month
has 30 days and a year 365.25. Numbers in words ("two hours") are not understood here.
"""

import re

_SECONDS = {
    ("s", "sec", "secs", "second", "seconds"): 1,
    ("m", "min", "mins", "minute", "minutes"): 60,
    ("h", "hr", "hrs", "hour", "hours"): 3600,
    ("d", "dy", "day", "days"): 86_400,
    ("w", "wk", "wks", "week", "weeks"): 604_800,
    ("mo", "mos", "month", "months"): 2_592_000,
    ("y", "yr", "yrs", "year", "years"): 31_557_600,
}
_UNITS = {word: seconds for words, seconds in _SECONDS.items() for word in words}
_JOINING = frozenset({"and", "with", "plus"})
_NUMBER = r"\d*\.?\d+"
_TOKEN = re.compile(rf"({_NUMBER})|([a-z]+)|(\S)", re.ASCII)
_CLOCK = re.compile(rf"{_NUMBER}(?::{_NUMBER}){{1,2}}", re.ASCII)


def parse_duration(text: str) -> int | None:
    """`text` as whole seconds, or None where it is not a duration; zero is none, as in GitLab."""
    text = text.strip().lower()
    if not text.isascii():
        return None
    total = _clock(text) if _CLOCK.fullmatch(text) else _words(text)
    return int(total) if total else None


def _clock(text: str) -> float:
    total = 0.0
    for part in text.split(":"):
        total = total * 60 + float(part)
    return total


def _words(text: str) -> float | None:
    """The sum of ``number unit`` pairs. A unit that opens the text counts once ("day")."""
    total = 0.0
    pending: float | None = None
    opening = True
    for number, word, other in _TOKEN.findall(text):
        if number:
            total += pending or 0
            pending = float(number)
        elif word in _UNITS:
            total += (1 if opening else pending or 0) * _UNITS[word]
            pending = None
        elif word not in _JOINING and other != ",":
            return None
        opening = False
    return total + (pending or 0)
