"""Speed of the trace's way: masking, headers, spool, reading back, stripping.

    python bench/trace.py [LINES]

Prints million lines per second, by the clock and by processor time, the best of three; and by how
much memory a run's peak is above that of the program before it. Each run is a process of its own.
"""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tracekeeper.runner.spool import Spool, tail
from tracekeeper.trace.chain import Chain
from tracekeeper.trace.format import HEADER_SIZE
from tracekeeper.trace.lines import Stripper
from tracekeeper.trace.masker import Masks

LINES = 5_000_000
ROUNDS = 3
SECRETS = [f"{name}-0123456789-secret" for name in "abcdefghij"]
START = 1_795_401_556_000_000


def plain_lines(read: int) -> Iterator[bytes]:
    """Reads of a script that prints ``line 1234567``, of which the same 100,000 come again."""
    return _reads([b"line %d\n" % (1_000_000 + i) for i in range(100_000)], read)


def secret_lines(read: int) -> Iterator[bytes]:
    """The same, with one of ten secrets in each line."""
    secrets = [secret.encode() for secret in SECRETS]
    return _reads([b"line %d %s\n" % (i, secrets[i % 10]) for i in range(100_000)], read)


def _reads(lines: list[bytes], read: int) -> Iterator[bytes]:
    text = b"".join(lines)
    wanted = lines_wanted() * len(text) // len(lines)
    # An end that is not a multiple of the text's, so that the reads cut it at all places.
    text += text[:read]
    size = len(text) - read
    for at in range(0, wanted, read):
        start = at % size
        yield text[start : start + min(read, wanted - at)]


def lines_wanted() -> int:
    return int(sys.argv[-1]) if sys.argv[-1].isdigit() else LINES


def record(reads: Iterator[bytes], directory: Path) -> None:
    """From reads to a trace that has been read back."""
    chain = Chain(Masks(SECRETS))
    with Spool.create(directory) as spool:
        at = START
        for read in reads:
            at += 5000
            spool.append(chain.write(read, at=at))
            spool.commit(chain.recorded, f"{at}")
        spool.append(chain.finish(at))
        spool.commit(chain.recorded)
        sealed = spool.seal()
    recorded = chain.recorded
    if (sealed.bytes, sealed.crc) != (recorded.bytes, recorded.crc):
        raise SystemExit("the spool does not hold what was recorded")
    expected = {0, lines_wanted()}
    if chain.changes.secrets not in expected:
        raise SystemExit(f"{chain.changes.secrets} secrets were masked")


def strip(directory: Path) -> None:
    """From the trace on disk to the text a person reads."""
    prefix, trace = b"job | ", directory / "trace"
    stripper = Stripper(prefix)
    size = sum(len(stripper.feed(block)) for block in tail(trace)) + len(stripper.finish())
    if size != trace.stat().st_size - lines_wanted() * (HEADER_SIZE - len(prefix)):
        raise SystemExit(f"{size} bytes came out")


def single_lines() -> Iterator[bytes]:
    """Each line a read of its own."""
    return (b"line %d\n" % number for number in range(lines_wanted()))


RUNS: dict[str, Callable[[Path], None]] = {
    "record, reads of 64 KiB": lambda directory: record(plain_lines(65536), directory),
    "record, reads of 1 MiB": lambda directory: record(plain_lines(1 << 20), directory),
    "record, a secret in each line": lambda directory: record(secret_lines(65536), directory),
    "record, each line a read of its own": lambda directory: record(single_lines(), directory),
    "strip headers, add a prefix": strip,
}


def one_run(name: str) -> None:
    """Time one run in this process and print seconds and KiB."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory) / "spool"
        if RUNS[name] is strip:
            record(plain_lines(65536), place)  # its peak hides the stripper's, which is far lower
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        clock, processor = time.perf_counter(), time.process_time()
        RUNS[name](place)
        clock, processor = time.perf_counter() - clock, time.process_time() - processor
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(clock, processor, memory / 1024)


def measure(name: str) -> tuple[float, float, float]:
    """The best times of several processes, and the most memory in MiB."""
    command = [sys.executable, __file__, name, str(lines_wanted())]
    outputs = [
        subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        for _ in range(ROUNDS)
    ]
    clock, processor, memory = zip(*(map(float, output) for output in outputs), strict=True)
    return min(clock), min(processor), max(memory)


def main() -> None:
    print(f"{'':38}{'M lines/s':>12}{'of processor':>14}{'MiB':>8}")
    for name in RUNS:
        clock, processor, memory = measure(name)
        lines = lines_wanted() / 1e6
        print(f"{name:38}{lines / clock:12.1f}{lines / processor:14.1f}{memory:8.1f}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        one_run(sys.argv[1])
    else:
        main()
