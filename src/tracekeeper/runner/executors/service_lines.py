"""The lines of a service's log, whole and harmless, for the trace of its job. Pure.

An engine keeps a line that is longer than 16 KiB in pieces. They are joined before anything is
shown: a secret that is cut in two would not be found in either half.
"""

import re

from tracekeeper.engine.frames import Frame

LONGEST = 1 << 20
"""Bytes of a line that is shown. A longer one is left out: wherever it were cut, a secret could
be cut with it."""

_LEFT_OUT = f"(a line of more than {LONGEST >> 20} MiB is left out)"
_COLOUR = re.compile(r"(\x1b\[[0-9;:]*m)")
_RESET = "\x1b[0m"
_PICTURES: dict[int, int | str] = {
    **{code: 0x2400 + code for code in range(0x20) if chr(code) != "\t"},
    0x7F: 0x2421,
    **dict.fromkeys(range(0x80, 0xA0), "\N{REPLACEMENT CHARACTER}"),
}
"""Control characters as what Unicode has to show them with."""


class Lines:
    """Makes lines of the entries of one log, for each stream by itself."""

    def __init__(self) -> None:
        self._begun: dict[int, bytes] = {}

    def add(self, frame: Frame) -> list[str]:
        """The line that an entry completes, if it does."""
        stream, entry = frame
        line = self._begun.pop(stream, b"") + entry
        if line.endswith(b"\n"):
            return [_shown(line)]
        self._begun[stream] = line[: LONGEST + 1]
        return []

    def rest(self) -> list[str]:
        """What has no end of line, once nothing can come after it."""
        begun, self._begun = self._begun, {}
        return [_shown(line) for line in begun.values()]


def last_lines(frames: list[Frame], asked: int, *, ended: bool) -> list[str]:
    """The lines of the entries at the end of a log of which so many were `asked` for. Without
    those that began before, and those that have no end yet unless the service has `ended`."""
    lines, cut_off = Lines(), {1, 2} if len(frames) >= asked else set()
    shown: list[str] = []
    for stream, entry in frames:
        if stream not in cut_off:
            shown += lines.add((stream, entry))
        elif entry.endswith(b"\n"):
            cut_off.remove(stream)
    return shown + (lines.rest() if ended else [])


def visible(text: str) -> str:
    """A line in which nothing can move the cursor or erase what stands before it: control
    characters are seen, colours are kept and end with the line."""
    *parts, last = _COLOUR.split(text)
    shown = "".join(
        part if index % 2 else part.translate(_PICTURES) for index, part in enumerate(parts)
    )
    return shown + last.translate(_PICTURES) + (_RESET if parts else "")


def _shown(line: bytes) -> str:
    if len(line) > LONGEST:
        return _LEFT_OUT
    return visible(line.removesuffix(b"\n").removesuffix(b"\r").decode(errors="replace"))
