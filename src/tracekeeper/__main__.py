"""The program `tracekeeper`, also as ``python -m tracekeeper``."""

import os
import sys


def main() -> None:
    """Run the command line and exit."""
    try:
        from tracekeeper.cli.main import run_command_line

        status = run_command_line(sys.argv[1:])
    except KeyboardInterrupt:  # during an import, or while an error is told
        status = 130
    _leave(status)


def _leave(status: int) -> None:
    """End the process at once: to take the interpreter apart first takes as long as a small job."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):  # closed, or nobody reads it
            status = status or 1
    os._exit(status)


if __name__ == "__main__":
    main()
