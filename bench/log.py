"""How fast a job's output becomes a proven trace, and in how much memory.

Each case prints 5,000,000 short lines with 10 masked variables set, through `tracekeeper run` with
the shell executor, from the start of the program to its end.
"""

import subprocess
from pathlib import Path
from typing import NamedTuple

from bench.harness import TRACEKEEPER, Timing, rate, timed, verdict
from bench.project import project

LINES = 5_000_000
ROUNDS = 3
PEAK = 100_000_000
SECRETS = {f"SECRET_{n}": f"s3cr3t-{n}-{'abcdefghij'[n] * 8}" for n in range(10)}
TEN_LINES = "$(printf 'token=%s\\n' " + " ".join(f"${name}" for name in SECRETS) + ")"


class Case(NamedTuple):
    """A script that prints LINES lines, and how many of them per second are promised."""

    name: str
    script: str
    lines_per_second: int


CASES = (
    Case("short lines", f"seq {LINES}", 2_500_000),
    Case(
        "every line holds a secret",
        f'(yes "{TEN_LINES}" || true) | head -n {LINES}',  # `yes` ends by a signal: pipefail
        1_000_000,
    ),
    Case("every line a write of its own", "python3 -S writer.py", 200_000),
)

WRITER = f"""\
import os

for _ in range({LINES}):
    os.write(1, b"one line\\n")
"""


def pipeline(case: Case) -> str:
    return "job:\n  script:\n    - |\n      " + case.script + "\n"


def variables() -> str:
    """The masked variables as a file for --variables-file."""
    entries = (f"{name}: {{value: {value}, masked: true}}\n" for name, value in SECRETS.items())
    return "".join(entries)


def measure(case: Case) -> Timing:
    """Run `case`, check that its trace is whole, and hand back what the run cost."""
    with project(pipeline(case), {"masked.yml": variables(), "writer.py": WRITER}) as directory:
        command = [TRACEKEEPER, "run", "--executor", "shell", "--variables-file", "masked.yml"]
        timing = timed(command, directory)
        check(directory)
    return timing


def check(directory: Path) -> None:
    """End the bench if a line is missing or a secret is in the kept log."""
    command = [TRACEKEEPER, "logs", "job"]
    lines = 0
    with subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE) as logs:
        assert logs.stdout
        for line in logs.stdout:
            lines += 1
            assert b"s3cr3t" not in line, line
    assert logs.returncode == 0, "tracekeeper logs failed"
    assert lines >= LINES, f"{lines} lines were kept of {LINES}"


def main() -> bool:
    kept = []
    for case in CASES:
        timings = [measure(case) for _ in range(ROUNDS)]
        wall = sorted(timing.wall for timing in timings)[ROUNDS // 2]
        peak = max(timing.peak for timing in timings)
        kept.append(rate(f"{case.name}, lines/s", LINES / wall, case.lines_per_second))
        kept.append(verdict(f"{case.name}, peak MB", peak / 1e6, "< 100", peak < PEAK))
    return all(kept)
