"""What the terminal can do, and the few sequences we use of it.

Colours, bars and cursor movement only on a terminal; NO_COLOR (https://no-color.org) and
FORCE_COLOR are obeyed.
"""

import os
import shutil
import sys
import unicodedata
from collections.abc import Sequence
from typing import BinaryIO, TextIO

RESET = "\x1b[0m"
STYLES = {
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
    "dim": "2",
    "bold": "1",
}
PREFIX_COLOURS = ("cyan", "magenta", "blue", "yellow", "green")


def wants_colour(stream: TextIO) -> bool:
    """Whether to write colours to `stream`."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return is_terminal(stream)


def is_terminal(stream: TextIO = sys.stdout) -> bool:
    """Whether `stream` is a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def columns() -> int:
    """The terminal's width."""
    return shutil.get_terminal_size().columns


def width(text: str) -> int:
    """The columns that `text` takes on a terminal."""
    return sum(_cells(char) for char in text)


def pad(text: str, cells: int) -> str:
    """`text` followed by blanks up to `cells` columns."""
    return text + " " * (cells - width(text))


def clip(text: str, cells: int) -> str:
    """`text` cut to `cells` columns, the cut shown as ``…``."""
    if width(text) <= cells:
        return text
    kept, used = "", 1
    for char in text:
        used += _cells(char)
        if used > cells:
            break
        kept += char
    return kept + "…"


def _cells(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


class Palette:
    """Styles text, or leaves it alone where colours are not wanted."""

    def __init__(self, colour: bool) -> None:
        self.colour = colour

    def __call__(self, text: str, *styles: str) -> str:
        """`text` in the given styles."""
        if not self.colour or not styles:
            return text
        codes = ";".join(STYLES[style] for style in styles)
        return f"\x1b[{codes}m{text}{RESET}"


def stdout_palette() -> Palette:
    """The palette for stdout."""
    return Palette(wants_colour(sys.stdout))


class StatusArea:
    """Lines at the bottom of a terminal that are replaced again and again."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._lines = 0

    def clear(self) -> None:
        """Take the area away; the cursor is where it began."""
        if self._lines:
            up = f"\x1b[{self._lines - 1}A" if self._lines > 1 else ""
            self._out.write(f"\r{up}\x1b[J".encode())
            self._lines = 0

    def show(self, lines: Sequence[bytes]) -> None:
        """Replace the area by `lines`, each no wider than the terminal."""
        self.clear()
        self._out.write(b"\n".join(line + RESET.encode() for line in lines))
        self._lines = len(lines)
        self._out.flush()
