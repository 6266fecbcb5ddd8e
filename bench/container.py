"""A job in a container beside `docker run --rm` of the same image: script `true`, nothing else.

Ours is the job's own time, from its start to its proven end, as `tracekeeper run --json` gives it;
the upload of the checkout with its `.git` is in it. The peer gets no files, so what counts is the
checkout of the pipeline file alone; what fifty more small files cost is told beside it.
"""

import json
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

from bench.harness import TRACEKEEPER, paired, ratio, timed
from bench.project import project

IMAGE = "busybox:latest"
PIPELINE = f"job:\n  image: {{name: '{IMAGE}', pull_policy: if-not-present}}\n  script: ['true']\n"


def job_seconds(directory: Path) -> float:
    """Run the job and return the time it took, its trace proven."""
    command = [TRACEKEEPER, "run", "--executor", "docker", "--json"]
    result = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    events = map(json.loads, result.stdout.splitlines())
    finished: dict[str, Any] = next(
        (event for event in events if event["type"] == "job_finished"), {}
    )
    if (finished.get("status"), finished.get("verdict")) != ("success", "proven"):
        sys.exit(f"the job did not pass with a proven trace:\n{result.stdout}{result.stderr}")
    return float(finished["seconds"])


def docker_run(directory: Path) -> float:
    return timed(["docker", "run", "--rm", IMAGE, "true"], directory).wall


def main() -> bool:
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if not shutil.which("docker") or not Path(host.removeprefix("unix://")).exists():
        print(f"left out: no docker client, or no Engine at {host}")
        return True
    kept = compare("a job in a container", small_files=0, at_most=1.3)
    compare("the same with 50 more files", small_files=50, at_most=2)
    return kept


def compare(what: str, *, small_files: int, at_most: float) -> bool:
    with project(PIPELINE, small_files=small_files) as directory:
        ours, theirs = paired(partial(job_seconds, directory), partial(docker_run, directory), 9)
    return ratio(what, ours, theirs, at_most=at_most)
