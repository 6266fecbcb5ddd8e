"""The program `tracekeeper`, also as ``python -m tracekeeper``."""

import sys


def main() -> None:
    """Run the command line and exit."""
    try:
        from tracekeeper.cli.main import run_command_line

        status = run_command_line(sys.argv[1:])
    except KeyboardInterrupt:  # during an import, or while an error is told
        status = 130
    sys.exit(status)


if __name__ == "__main__":
    main()
