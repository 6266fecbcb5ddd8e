"""Paired measurements: A and B take turns on the same machine, so that noise meets both alike."""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

TRACEKEEPER = str(Path(sys.executable).with_name("tracekeeper"))


class Timing(NamedTuple):
    """What one command cost: wall and processor time in seconds, largest resident set in bytes."""

    wall: float
    cpu: float
    peak: int


def timed(
    command: Sequence[str], cwd: Path, *, status: int = 0, env: Mapping[str, str] | None = None
) -> Timing:
    """Run `command` and measure it with everything it starts. Ends the bench if it fails."""
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=os.environ | dict(env or {}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        _, wait_status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(wait_status)
        if process.returncode != status:
            output.seek(0)
            tail = output.read()[-2000:].decode(errors="replace")
            sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{tail}")
    return Timing(wall, usage.ru_utime + usage.ru_stime, peak_bytes(usage))


def peak_bytes(usage: resource.struct_rusage) -> int:
    """The largest resident set of one process; the kernel counts it in KiB, on macOS in bytes."""
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def paired(
    ours: Callable[[], float], peer: Callable[[], float] | None, rounds: int
) -> tuple[float, float | None]:
    """The medians of both, run in alternation, after one round of each that does not count."""
    a, b = [], []
    for _ in range(rounds + 1):
        a.append(ours())
        if peer:
            b.append(peer())
    return statistics.median(a[1:]), statistics.median(b[1:]) if b else None


def verdict(what: str, value: float, target: str, kept: bool) -> bool:
    """Print one line of the table of results and hand back whether the target was kept."""
    print(f"{what:<58} {value:>14,.3f}   {target:<24} {'kept' if kept else 'MISSED'}", flush=True)
    return kept


def seconds(what: str, value: float, at_most: float) -> bool:
    return verdict(f"{what}, seconds", value, f"<= {at_most:g}", value <= at_most)


def rate(what: str, value: float, at_least: float) -> bool:
    return verdict(what, value, f">= {at_least:,g}", value >= at_least)


def ratio(what: str, ours: float, peer: float | None, at_most: float) -> bool:
    """Print ours / peer = ratio (target). Without a peer there is nothing to keep."""
    if peer is None:
        print(f"{what}: {ours:.3f} s; no peer to compare with")
        return True
    return verdict(
        f"{what}: {ours:.3f} / {peer:.3f}", ours / peer, f"<= {at_most:g}", ours / peer <= at_most
    )
