"""Which of a job's control sequences reach the terminal: colours alone.

A job believes it has the terminal for itself. Cursor movement, erasing, window titles and the
alternate screen (ECMA-48, xterm's ctlseqs) would destroy the status area and the lines of other
jobs, so everything but SGR, which sets colours, is left out. `logs --raw` keeps it all.
"""

import re

RESET = b"\x1b[0m"
_CONTROLS = bytes({*range(0x20), 0x7F} - {*b"\t\n\r"})
_SEQUENCE = re.compile(
    rb"(?P<sgr>\x1b\[[0-9;:]*m)"
    rb"|\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: cursor, erase, modes
    rb"|\x1b[]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?"  # OSC, DCS and other strings
    rb"|\x1b[ -/]*[0-~]?"  # two or three characters, such as ESC 7
    rb"|\xc2[\x80-\x9f]"  # the C1 controls, as UTF-8
    rb"|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]"
)
_BEGUN = re.compile(rb"(?:\x1b(?:\[[0-?]*[ -/]*|[]PX^_][^\x07\x1b\n]*\x1b?|[ -/]*)|\xc2)\Z")
_LONGEST = 4096
"""What is not a whole sequence within this many bytes is text."""


def harmless(text: bytes, *, colour: bool) -> bytes:
    """`text` (UTF-8, sequences whole) without control sequences; with `colour`, SGR stays."""
    if b"\xc2" not in text and len(text.translate(None, _CONTROLS)) == len(text):
        return text
    return _SEQUENCE.sub(rb"\g<sgr>" if colour else b"", text)


class EscapeFilter:
    """`harmless` for text that comes in parts, split anywhere."""

    __slots__ = ("_colour", "_coloured", "_kept")

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour
        self._coloured = False
        self._kept = b""

    def feed(self, text: bytes) -> bytes:
        """Take the next bytes; return what may be shown."""
        text = self._kept + text
        begun = _BEGUN.search(text, max(0, len(text) - _LONGEST))
        cut = begun.start() if begun else len(text)
        self._kept = text[cut:]
        return self._harmless(text[:cut])

    def finish(self) -> bytes:
        """Nothing follows: return what was kept back, and end colours."""
        kept, self._kept = self._kept, b""
        return self._harmless(kept) + (RESET if self._coloured else b"")

    def _harmless(self, text: bytes) -> bytes:
        shown = harmless(text, colour=self._colour)
        self._coloured = self._coloured or b"\x1b" in shown
        return shown
