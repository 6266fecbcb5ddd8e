"""Text as a terminal lays it out: how many columns it takes, cut and padded to fit."""

import unicodedata

_INVISIBLE = ("Mn", "Me", "Cf")


def width(text: str) -> int:
    """The columns that `text` takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(map(_cells, text))


def pad(text: str, cells: int, *, right: bool = False) -> str:
    """`text` and blanks up to `cells` columns; with `right` the text stands at the right."""
    blanks = " " * (cells - width(text))
    return blanks + text if right else text + blanks


def clip(text: str, cells: int) -> str:
    """`text` cut at its end to `cells` columns, the cut shown as ``…``."""
    if width(text) <= cells:
        return text
    return _fitting(text, cells - 1) + "…" if cells > 0 else ""


def clip_start(text: str, cells: int) -> str:
    """`text` cut at its beginning to `cells` columns, the cut shown as ``…``."""
    if width(text) <= cells:
        return text
    return "…" + _fitting(text[::-1], cells - 1)[::-1] if cells > 0 else ""


def plain(text: str) -> str:
    """`text` on one line and without anything a terminal would act on."""
    return "".join(char if char.isprintable() else " " for char in text)


def _fitting(text: str, cells: int) -> str:
    for index, char in enumerate(text):
        cells -= _cells(char)
        if cells < 0:
            return text[:index]
    return text


def _cells(char: str) -> int:
    if unicodedata.category(char) in _INVISIBLE:
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
