"""A job on a remote engine over mutual TLS, beside `docker run --rm` of the same: script `true`.

Ours is a whole `tracekeeper run` in a small checkout, from its start to its end: connect, create,
upload, start, follow, prove, remove.
"""

from pathlib import Path

from bench.harness import TRACEKEEPER, paired, ratio, timed
from bench.places import IMAGE, Place, places
from bench.project import project

PIPELINE = f"job:\n  image: {{name: '{IMAGE}', pull_policy: if-not-present}}\n  script: ['true']\n"
ROUNDS = 9


def main() -> bool:
    with project(PIPELINE) as directory:
        kept = [measure(place, directory) for place in places()]
    return all(kept)


def measure(place: Place, directory: Path) -> bool:
    def run(*command: str) -> float:
        return timed(command, directory, env=place.environment).wall

    walls = paired(
        lambda: run(TRACEKEEPER, "run", "--executor", "docker"),
        lambda: run("docker", "run", "--rm", IMAGE, "true"),
        ROUNDS,
    )
    what = f"`tracekeeper run` of one job over {place.name}, against `docker run`"
    return ratio(what, *walls, at_most=1.5)
