"""Sections: the parts of a log that a reader can fold, as GitLab marks them.

    section_start:1795401556:build[collapsed=true]\\r\\x1b[0KBuilding the image
    …
    section_end:1795401570:build\\r\\x1b[0K

https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections
"""

import re

_ERASE = "\r\x1b[0K"
_MARKER = re.compile(
    rb"section_(?:start:\d+:[\w.\-]+(?:\[[^\]\r\n]*\])?|end:\d+:[\w.\-]+)\r\x1b\[0K", re.ASCII
)
_WORD = b"section_"
_LONGEST = 512
"""What does not become a marker within this many bytes is text."""
_BEGUN = re.compile(
    rb"section_(?:(?:start|end)(?::\d*(?::[\w.\-]*(?:\[[^\]\r\n]*\]?)?(?:\r(?:\x1b(?:\[0?)?)?)?)?)?"
    rb"|s|st|sta|star|e|en)?\Z",
    re.ASCII,
)


def section_start(name: str, at: int, *, title: str = "", collapsed: bool = False) -> str:
    """A marker that begins section `name` at the UNIX time `at`, and what is shown of it."""
    options = "[collapsed=true]" if collapsed else ""
    return f"section_start:{at}:{name}{options}{_ERASE}{title}"


def section_end(name: str, at: int) -> str:
    """A marker that ends section `name` at the UNIX time `at`."""
    return f"section_end:{at}:{name}{_ERASE}"
