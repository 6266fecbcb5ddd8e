"""Sections: the parts of a log that a reader can fold, as GitLab marks them.

    section_start:1795401556:build[collapsed=true]\\r\\x1b[0KBuilding the image
    …
    section_end:1795401570:build\\r\\x1b[0K

A terminal that is sent a marker overwrites it at once; it is not for people.
https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections
"""

import re

_ERASE = "\r\x1b[0K"
_MARKER = re.compile(rb"section_(?:start:\d+:[\w.-]+(?:\[[^]\r\n]*\])?|end:\d+:[\w.-]+)\r\x1b\[0K")
_CUT_MARKER = re.compile(rb"section_(?:start|end):[^\r\n]*(?:\r(?:\x1b(?:\[0?)?)?)?\Z")
_LINE = re.compile(rb"[^\n]*\n|[^\n]+")
_WORD = b"section_"


def start(name: str, at: int) -> str:
    """The marker that begins section `name` at the UNIX time `at`; what follows it on the line is
    the section's title."""
    return f"section_start:{at}:{name}{_ERASE}"


def end(name: str, at: int) -> str:
    """The marker that ends section `name` at the UNIX time `at`."""
    return f"section_end:{at}:{name}{_ERASE}"


def hide(text: bytes, prefix: bytes = b"") -> bytes:
    """`text` without markers: of a section's first line the title is left.

    `text` begins at the start of a line; of its last line the end, and of a marker in it the rest,
    may be yet to come. A line that holds markers alone vanishes, and so does the `prefix` that
    stands before each line. What only looks like a marker stays.
    """
    if _WORD not in text:
        return text
    return b"".join(_hide(line, prefix) for line in _LINE.findall(text))


def _hide(line: bytes, prefix: bytes) -> bytes:
    shown = _CUT_MARKER.sub(b"", _MARKER.sub(b"", line))
    only_markers = shown.rstrip(b"\n") == prefix and shown != line
    return b"" if only_markers else shown
