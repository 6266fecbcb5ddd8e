"""What the terminal can do.

Colours, bars and cursor movement only on a terminal that knows them. NO_COLOR
(https://no-color.org) and FORCE_COLOR (https://force-color.org) are obeyed.
"""

import os
import shutil
import sys
from typing import TextIO

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


def wants_colour(stream: TextIO) -> bool:
    """Whether to write colours to `stream`."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return is_terminal(stream)


def is_terminal(stream: TextIO) -> bool:
    """Whether `stream` is a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def size() -> os.terminal_size:
    """The terminal's columns and lines, as they are now."""
    try:
        found = os.get_terminal_size(sys.stdout.fileno())
    except (OSError, ValueError):
        found = os.terminal_size((0, 0))
    return found if min(found) > 0 else shutil.get_terminal_size()


class Palette:
    """Styles text, or leaves it alone where colours are not wanted."""

    def __init__(self, colour: bool) -> None:
        self.colour = colour

    def __call__(self, text: str, *styles: str) -> str:
        """`text` in the given styles."""
        if not self.colour or not styles or not text:
            return text
        codes = ";".join(STYLES[style] for style in styles)
        return f"\x1b[{codes}m{text}\x1b[0m"


def stdout_palette() -> Palette:
    """The palette for stdout."""
    return Palette(wants_colour(sys.stdout))
