"""Errors nobody foresaw, as a sentence for people and with the details in a file."""

import traceback
from pathlib import Path

from tracekeeper.errors import TracekeeperError


def sentence(error: Exception, details: Path) -> str:
    """What happened. For a defect of ours the details are written to the file `details`."""
    if isinstance(error, TracekeeperError):
        return error.message + (f" ({error.hint})" if error.hint else "")
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    what = f"a defect of tracekeeper ({type(error).__name__}: {error})"
    try:
        details.write_text("".join(traceback.format_exception(error)))
    except OSError:
        return what
    return f"{what}; please report it with {details}"
