"""Runs the incident on real parts and prints what each client's user would have seen.

"knew after" is the time from the end of the container to the end of the client; "never", if that
had to be ended. Exit status 1 if one of ours lost output or told a wrong exit status.
"""

import argparse
import sys
from pathlib import Path

from scripts.incident import matrix, table
from scripts.incident.attempt import Outcome
from scripts.incident.clients import CLIENTS, OURS

from tracekeeper.net.lab import LabError

PATIENCE = 180.0


def main() -> int:
    options = parse()
    wanted = matrix.cases(options.idle, options.client or CLIENTS)
    below, above = matrix.sleeps(options.idle)
    minutes = -(-matrix.longest(wanted, options.patience) // 60)
    print(
        f"A firewall that forgets what has been idle for {options.idle} s; jobs that are quiet for"
        f" {below} s and {above} s: {len(wanted)} rows side by side. It takes {minutes:.0f} minutes"
        " at most; what never ends is ended, and each row is told when it has.",
        flush=True,
    )
    try:
        outcomes = matrix.run(wanted, options.idle, options.patience, tell)
    except LabError as error:
        sys.exit(f"{error.message}\n{error.hint}")
    print(f"\n{table.text(outcomes)}\n\n{table.measured_with()}")
    if options.markdown:
        options.markdown.write_text(f"{table.markdown(outcomes)}\n{table.measured_with()}\n")
    failed = [outcome for outcome in outcomes if outcome.case.client in OURS and not outcome.good]
    for outcome in failed:
        print(f"\nOurs failed: {outcome.case}\n{outcome.output}")
    return 1 if failed else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts.incident", description=__doc__)
    parser.add_argument("--idle", type=int, default=10, help="the firewall's limit, in seconds")
    parser.add_argument(
        "--patience",
        type=float,
        default=PATIENCE,
        help="seconds that a client is waited for after the end of its container",
    )
    parser.add_argument("--client", action="append", choices=CLIENTS, help="only this one")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table there too")
    return parser.parse_args()


def tell(outcome: Outcome) -> None:
    print(table.one(outcome), file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
