"""The program `tracekeeper`, also as ``python -m tracekeeper``."""

import sys


def main() -> None:
    """Run the command line and exit."""
    from tracekeeper.cli.main import run_command_line

    sys.exit(run_command_line(sys.argv[1:]))


if __name__ == "__main__":
    main()
