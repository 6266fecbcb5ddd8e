"""quiet [--seconds N] FILE: the silences of N seconds or more, longest first."""

import argparse
from datetime import timedelta
from pathlib import Path

from quiet.gaps import gaps


def main(arguments: list[str] | None = None) -> int:
    """Print the report; the exit status is 0 also if there is nothing to report."""
    parser = argparse.ArgumentParser(prog="quiet", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="the shortest silence to report")
    parser.add_argument("file", type=Path)
    options = parser.parse_args(arguments)
    with options.file.open(encoding="utf-8", errors="replace") as log:
        found = sorted(gaps(log, timedelta(seconds=options.seconds)), reverse=True)
    for gap in found:
        print(f"{gap.length} of silence after line {gap.line_number}: {gap.line}")
    print(f"{len(found)} silences of {options.seconds:g} s or more")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
