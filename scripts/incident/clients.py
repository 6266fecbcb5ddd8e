"""Who runs the incident's job: ours in two ways, and three peers as their documentation shows."""

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import msgspec

from tracekeeper import __version__
from tracekeeper.net.lab import without_keepalive

PEERS = Path(__file__).parent / "peers"
USUAL_KEEPALIVE_FROM = 60
"""Idle limits, in seconds, from which on our usual 15 s between probes are often enough."""

SCRIPT = ("date", "sleep {}", 'echo "Hello world!"', "date", "exit 1")


class Job(msgspec.Struct, frozen=True):
    """The job of the incident: quiet for `sleep` seconds behind a firewall that forgets after
    `idle`. `directory` is empty, and for the client alone."""

    image: str
    sleep: int
    idle: int
    directory: Path

    @property
    def script(self) -> list[str]:
        """Its lines."""
        return [line.format(self.sleep) for line in SCRIPT]


def ours(job: Job) -> list[str]:
    """`tracekeeper run`; keepalives often enough for the limit."""
    scaled = "{ idle = 3, interval = 2, count = 3, user_timeout = 9 }"
    return _tracekeeper(job, scaled if job.idle < USUAL_KEEPALIVE_FROM else "true")


def ours_without_keepalive(job: Job) -> list[str]:
    """`tracekeeper run` with keepalives off: resume alone has to save the log."""
    return _tracekeeper(job, "false")


def docker_cli(job: Job) -> list[str]:
    """`docker run`."""
    return ["docker", "run", job.image, "sh", "-c", "\n".join(job.script)]


def old_docker_cli(job: Job) -> list[str]:
    """`docker run` as a Go before 1.12 built it: no keepalive, as the runner of the incident."""
    return without_keepalive.command(docker_cli(job))


def docker_py(job: Job) -> list[str]:
    """A script with docker-py."""
    return _peer("with_docker_py.py", job)


def aiodocker(job: Job) -> list[str]:
    """A script with aiodocker."""
    return _peer("with_aiodocker.py", job)


OURS = {"tracekeeper": ours, "tracekeeper, keepalives off": ours_without_keepalive}
CLIENTS: dict[str, Callable[[Job], list[str]]] = {
    **OURS,
    "Docker CLI": docker_cli,
    "Docker CLI, no keepalive": old_docker_cli,
    "docker-py": docker_py,
    "aiodocker": aiodocker,
}


def versions() -> dict[str, str]:
    """What runs here, by the name of the client."""
    cli = ["docker", "version", "--format", "{{.Client.Version}} ({{.Client.GoVersion}})"]
    engine = ["dockerd", "--version"]
    # Without an engine the client prints what it knows of itself, and fails.
    known, served = (
        subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()
        for words in (cli, engine)
    )
    return {
        "Tracekeeper": __version__,
        "Docker CLI": known,
        "docker-py": version("docker"),
        "aiodocker": version("aiodocker"),
        "Docker Engine": served.removeprefix("Docker version ").partition(",")[0],
    }


def _tracekeeper(job: Job, keepalive: str) -> list[str]:
    _make_project(job)
    config = job.directory.with_suffix(".toml")
    config.write_text(
        f"[[runners]]\n[runners.docker]\n[runners.docker.connection]\nkeepalive = {keepalive}\n"
    )
    command = [sys.executable, "-m", "tracekeeper", "run", "--executor", "docker"]
    return [*command, "--docker-config", str(config)]


def _make_project(job: Job) -> None:
    script = "".join(f"    - {line}\n" for line in job.script)
    (job.directory / ".gitlab-ci.yml").write_text(f"image: {job.image}\ntest:\n  script:\n{script}")
    author = ("-c", "user.name=Incident", "-c", "user.email=incident@example.com")
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message=Incident"]):
        subprocess.run(["git", *author, *words], cwd=job.directory, check=True, capture_output=True)


def _peer(name: str, job: Job) -> list[str]:
    return [sys.executable, str(PEERS / name), job.image, "\n".join(job.script)]
