"""The last lines of a kept log: what a failed job said before it failed."""

import os
import re
from pathlib import Path

from tracekeeper.cli.job_lines import JobLines
from tracekeeper.trace.lines import Stripper
from tracekeeper.trace.sections import SectionHider

TAIL = 1 << 16
_SCRIPT_START = re.compile(rb"^section_start:\d+:step_script[^\n]*\n", re.MULTILINE)
_SCRIPT_END = re.compile(rb"^section_end:\d+:step_script\r", re.MULTILINE)
_RESULT = re.compile(rb"^\x1b\[31;1mERROR: Job failed: [^\n]*\n?\Z", re.MULTILINE)


def last_words(trace: Path, lines: int, prefix: bytes, *, colour: bool) -> bytes:
    """The last `lines` of the script in `trace`, or of the whole log if no script ran.

    What comes after the script (after_script, caches, artifacts) seldom says why it failed, and
    the job's result is told before these lines anyway. Raises OSError.
    """
    text = _tail_text(trace)
    start, end = _SCRIPT_START.search(text), _SCRIPT_END.search(text) or _RESULT.search(text)
    text = text[start.end() if start else 0 : end.start() if end else len(text)]
    hider = SectionHider()
    shown = hider.feed(text) + hider.finish()
    if not shown:
        return b""
    kept = shown.removesuffix(b"\n").split(b"\n")[-lines:]
    return JobLines(prefix, colour=colour).feed(b"\n".join(kept) + b"\n")


def _tail_text(trace: Path) -> bytes:
    """The text of the whole lines in the last `TAIL` bytes of `trace`."""
    with trace.open("rb") as file:
        start = max(0, os.fstat(file.fileno()).st_size - TAIL)
        file.seek(start)
        tail = file.read()
    if start:
        tail = tail.partition(b"\n")[2]
    stripper = Stripper()
    return stripper.feed(tail) + stripper.finish()
