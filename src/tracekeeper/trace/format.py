"""The format of trace bytes: GitLab's 32-byte line header (FF_TIMESTAMPS).

    2026-11-23T02:29:16.123456Z 01O text of the line
    └────────── 27 ───────────┘ │└┤│└ ' ' a new line, '+' continues the line before
                                │ │└─ 'O' or 'E': stdout or stderr
                                │ └── two hex digits: 00 the runner, 01 the script, 0f… services
                                └──── space

A line ends with a newline. A long or unfinished line is stored in pieces: each piece ends with an
added newline, and the next piece of that line is marked ``+``. Dropping headers, and each newline
before a ``+`` piece of the same stream, gives back what was written.
"""

from enum import IntEnum

HEADER_SIZE = 32
MAX_PIECE = 8 * 1024
"""A line longer than this many bytes is stored in pieces."""


class Stream(IntEnum):
    """Who wrote a line. Values are the stream ids of the header; services count up from 15."""

    RUNNER = 0
    SCRIPT = 1
    SERVICE = 15
