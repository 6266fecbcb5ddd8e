"""Sections: the parts of a log that a reader can fold, as GitLab marks them.

    section_start:1795401556:build[collapsed=true]\\r\\x1b[0KBuilding the image
    …
    section_end:1795401570:build\\r\\x1b[0K

https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections
"""

import re

_ERASE = "\r\x1b[0K"
_MARKER = re.compile(rb"section_(?:start:\d+:[\w.-]+(?:\[[^]\r\n]*\])?|end:\d+:[\w.-]+)\r\x1b\[0K")
_BEGUN = re.compile(rb"section_(?:start|end):[^\r\n]*(?:\r(?:\x1b(?:\[0?)?)?)?\Z")
_WORDS = (b"section_start:", b"section_end:")
_LONGEST = 512
"""What has not become a marker within this many bytes is text."""
_LINE = re.compile(rb"[^\n]*\n|[^\n]+")


def section_start(name: str, at: int, *, title: str = "") -> str:
    """The marker that begins section `name` at the UNIX time `at`, and what is shown of it."""
    return f"section_start:{at}:{name}{_ERASE}{title}"


def section_end(name: str, at: int) -> str:
    """The marker that ends section `name` at the UNIX time `at`."""
    return f"section_end:{at}:{name}{_ERASE}"


class SectionHider:
    """Takes the markers out of the text of a log, for people.

    Of a section's first line its title is left; a line that holds markers alone vanishes; what
    only looks like a marker stays.
    """

    __slots__ = ("_hidden", "_kept", "_shown")

    def __init__(self) -> None:
        # The end of the text, where it may be the beginning of a marker.
        self._kept = b""
        # Of the line that is not finished: whether a marker was hidden, and whether text was shown.
        self._hidden = False
        self._shown = False

    def feed(self, text: bytes) -> bytes:
        """Take the next bytes, split anywhere; return what is to be shown."""
        text = self._kept + text
        undecided = _undecided(text)
        self._kept = text[undecided:]
        return self._hide(text[:undecided])

    def settle(self) -> bytes:
        """Nothing more is there for now: return letters that may yet have begun a marker."""
        if self._kept.startswith(_WORDS):
            return b""
        return self.finish()

    def finish(self) -> bytes:
        """Nothing follows: return all that was kept back."""
        kept, self._kept = self._kept, b""
        return self._hide(kept)

    def _hide(self, text: bytes) -> bytes:
        if b"section_" not in text and not self._hidden:
            self._shown = (self._shown or text != b"") and not text.endswith(b"\n")
            return text
        return b"".join(self._hide_in(line) for line in _LINE.findall(text))

    def _hide_in(self, line: bytes) -> bytes:
        text = _MARKER.sub(b"", line)
        hidden = self._hidden or text != line
        vanishes = hidden and not self._shown and text == b"\n"
        finished = line.endswith(b"\n")
        self._hidden = hidden and not finished
        self._shown = (self._shown or text != b"") and not finished
        return b"" if vanishes else text


def _undecided(text: bytes) -> int:
    """Where the end of `text` starts that may be the beginning of a marker."""
    if begun := _BEGUN.search(text, max(0, len(text) - _LONGEST)):
        return begun.start()
    for size in range(len(_WORDS[0]) - 1, 0, -1):
        if text.endswith(tuple(word[:size] for word in _WORDS)):
            return len(text) - size
    return len(text)
