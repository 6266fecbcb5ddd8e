"""The format of trace bytes: GitLab's 32-byte line header (FF_TIMESTAMPS).

    2026-11-23T02:29:16.123456Z 01O text of the line
    └────────── 27 ───────────┘ │└┤│└ ' ' a new line, '+' continues the line before
                                │ │└─ 'O' or 'E': stdout or stderr
                                │ └── two hex digits: 00 the runner, 01 the script, 0f… services
                                └──── space

Every piece of text begins with a header and is ended by a newline. A line is stored in one piece
unless it is longer than `MAX_PIECE`, or was stored before its end was there, as a prompt or a
progress bar is. The pieces of such a line are ended by an *added* newline, and all but the first
are marked ``+``. The time of a piece is that of its first byte.

The added newline is written together with the header of the piece that follows it, so that a
trace never has to be changed at its end: **a trace that does not end with a newline ends in a
line that is not finished**, and what it shows of it is all that is known.

Dropping headers, and each newline before a ``+`` piece of the same stream, gives back what was
written to a stream. Where another stream's line came between (a remark of the runner), the pieces
of one line are apart. If such a line never goes on, a ``+`` piece without text ends the trace,
so that it can be seen that the job itself ended without a newline.
"""

from datetime import datetime, timedelta
from enum import IntEnum
from functools import lru_cache

HEADER_SIZE = 32
MAX_PIECE = 8 * 1024
"""A line longer than this many bytes is stored in pieces."""

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  # the format writes the Z itself


class Stream(IntEnum):
    """Who wrote a line. Values are the stream ids of the header; services count up from 15."""

    RUNNER = 0
    SCRIPT = 1
    SERVICE = 15


def header(at: int, stream: int, *, continued: bool = False) -> bytes:
    """The header of a piece of `stream`, written at `at` microseconds since the epoch."""
    second, microseconds = divmod(at, 1_000_000)
    mark = b"+" if continued else b" "
    return b"%b.%06dZ %02xO%b" % (_second(second), microseconds, stream, mark)


@lru_cache(maxsize=8)
def _second(since_epoch: int) -> bytes:
    return (_EPOCH + timedelta(seconds=since_epoch)).isoformat().encode()


def time_of(header: bytes) -> int:
    """The time in a header, in microseconds since the epoch. ValueError if there is none."""
    passed = datetime.fromisoformat(header[:26].decode()) - _EPOCH
    return passed // timedelta(microseconds=1)
