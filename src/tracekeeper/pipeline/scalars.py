"""What a plain YAML scalar means, as GitLab's parser (Ruby's Psych, YAML 1.1) takes it.

Psych is wider than YAML 1.1 here and there: words count in any case, ``1,000`` is a number, and
``22:30`` is 22 hours and 30 minutes, in seconds.
"""

import re
from collections.abc import Callable

from tracekeeper.pipeline.node import Value

_WORDS: dict[str, Value] = {
    "": None, "~": None, "null": None,
    "true": True, "yes": True, "on": True,
    "false": False, "no": False, "off": False,
}  # fmt: skip
_LONGEST_WORD = 5
_LONGEST_NUMBER = 100

_NUMBER = re.compile(
    r"""(?P<integer>[-+]?(?:0b[01_,]+|0x[0-9a-fA-F_,]+|0[0-7_,]+|0|[1-9](?:[0-9]|[,_][0-9])*))
      | (?P<float>[-+]?(?:[0-9][0-9_,]*)?\.[0-9]*(?:[eE][-+][0-9]+)?)
      | (?P<clock>[-+]?[0-9][0-9_]*(?::[0-5]?[0-9]){1,2}(?:\.[0-9_]*)?)
      | (?P<special>[-+]?\.(?i:inf)|\.(?i:nan))""",
    re.VERBOSE,
)


def resolve(text: str) -> Value:
    """The value of a plain scalar. What is neither a word nor a number is its own text."""
    if len(text) <= _LONGEST_WORD and (word := text.lower()) in _WORDS:
        return _WORDS[word]
    if text[0] in "+-.0123456789" and len(text) <= _LONGEST_NUMBER:
        return _number(text)
    return text


def is_date(text: str) -> bool:
    """Whether Psych would make a date or a time of this plain scalar."""
    date = r"-?\d{4}-\d{1,2}-\d{1,2}(?:(?:[Tt]|\s+)\d{1,2}:\d\d:\d\d.*)?"
    return re.fullmatch(date, text) is not None


def _number(text: str) -> Value:
    match = _NUMBER.fullmatch(text)
    if match is None:
        return text
    convert = _CONVERSIONS[match.lastgroup or ""]
    try:
        return convert(re.sub("[,_]", "", text))
    except ValueError:  # a sign, a prefix or a dot without digits
        return text


def _integer(text: str) -> int:
    digits = text.lstrip("+-")
    is_octal = len(digits) > 1 and digits.isdigit() and digits[0] == "0"
    return int(text, 8 if is_octal else 0)


def _clock(text: str) -> int | float:
    """Hours, minutes and perhaps seconds: Psych takes the first part for hours in any case."""
    number: Callable[[str], int | float] = float if "." in text else int
    hours, minutes, *seconds = map(number, text.split(":"))
    return hours * 3600 + minutes * 60 + sum(seconds)


def _special(text: str) -> float:
    return float(text.replace(".", ""))


_CONVERSIONS: dict[str, Callable[[str], Value]] = {
    "integer": _integer,
    "float": float,
    "clock": _clock,
    "special": _special,
}
