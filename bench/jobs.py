"""What a job costs: one trivial job, fifty side by side, fifty one after the other."""

from functools import partial
from pathlib import Path

from bench import peer
from bench.harness import TRACEKEEPER, paired, ratio, seconds, timed
from bench.project import project

TRIVIAL = "hello:\n  script:\n    - echo hello\n"
MANY = 50


def independent(count: int) -> str:
    return "".join(f"job-{n}:\n  script:\n    - echo {n}\n" for n in range(count))


def chain(count: int) -> str:
    """Every job needs the one before it."""
    jobs = [
        f"job-{n}:\n  script:\n    - echo {n}\n  needs: [job-{n - 1}]\n" for n in range(1, count)
    ]
    return "".join(["job-0:\n  script:\n    - echo 0\n", *jobs])


def wall(command: list[str], directory: Path) -> float:
    return timed(command, directory).wall


def compare(pipeline: str, other: list[str] | None, rounds: int) -> tuple[float, float | None]:
    """Median wall seconds of both programs on `pipeline`."""
    with project(pipeline) as directory:
        ours = partial(wall, [TRACEKEEPER, "run"], directory)
        return paired(ours, partial(wall, other, directory) if other else None, rounds)


def main() -> bool:
    other = peer.command()
    one, peer_one = compare(TRIVIAL, other, rounds=9)
    side_by_side = compare(independent(MANY), other, rounds=3)
    one_by_one = compare(chain(MANY), other, rounds=3)
    kept = [
        seconds("one trivial job", one, at_most=0.3),
        ratio("one trivial job", one, peer_one, at_most=0.3),
        ratio(f"{MANY} independent jobs", *side_by_side, at_most=0.4),
        ratio(f"a chain of {MANY} jobs", *one_by_one, at_most=0.3),
    ]
    return all(kept)
