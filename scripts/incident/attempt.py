"""One run of the incident's job by one client, watched from its start until it knows the end."""

import os
import re
import subprocess
import time
from pathlib import Path

import msgspec
from scripts.incident.clients import CLIENTS, OURS, Job

from tracekeeper.net.lab import Lab, Variant

OUR_PREFIX = re.compile(r"^test │ ", re.MULTILINE)
DATE = r"\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d UTC \d{4}"
OUTPUT = re.compile(rf"^{DATE}$|^Hello world!$", re.MULTILINE)
COMPLETE = re.compile(rf"{DATE}\nHello world!\n{DATE}")
STATUS = 1
AUTHORITIES = {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}
START_SECONDS = 60.0
"""More than a client needs, beside all the others, until its container runs."""


class Place(msgspec.Struct, frozen=True):
    """What the firewall does, and whether the engine sends keepalives, as it does since 2019."""

    variant: Variant
    engine_keepalive: bool = True


class Case(msgspec.Struct, frozen=True):
    """A client, where it works, and how long the job is quiet (seconds)."""

    client: str
    place: Place
    sleep: int


class Outcome(msgspec.Struct, frozen=True):
    """What became of a case. `status` None: the client had to be ended.

    `knew` is the seconds from the end of the container to the end of the client.
    """

    case: Case
    complete: bool
    status: int | None
    knew: float | None
    output: str

    @property
    def good(self) -> bool:
        """Whether the client told all that was to be told."""
        return self.complete and self.right

    @property
    def right(self) -> bool:
        """Whether the client told the job's exit status. Ours ends with the same for every failure
        and says in the log which it was."""
        said = self.case.client not in OURS or f"Job failed: exit code {STATUS}\n" in self.output
        return self.status == STATUS and said

    @property
    def lines(self) -> int:
        """How many of the job's three lines of output arrived."""
        return len(OUTPUT.findall(self.output))


def environment() -> dict[str, str]:
    """Ours, without the authorities that docker-py would believe rather than the engine's."""
    return {name: value for name, value in os.environ.items() if name not in AUTHORITIES}


class Attempt:
    """A client at work on a case."""

    def __init__(self, case: Case, lab: Lab, idle: int, directory: Path) -> None:
        name = re.sub(r"\W+", "-", f"{case.client}-{case.sleep}")
        self.case = case
        self.image = f"incident:{name}"
        self.ended_at: float | None = None
        lab.ask("POST", f"/images/busybox:latest/tag?repo=incident&tag={name}")
        project = directory / name
        project.mkdir()
        self._said = directory / f"{name}.out"
        self._ended: float | None = None
        self._latest = time.time() + START_SECONDS + case.sleep
        argv = CLIENTS[case.client](Job(self.image, case.sleep, idle, project))
        with self._said.open("wb") as out:
            streams = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": out}
            self._client = lab.client(argv, env=environment(), cwd=project, **streams)

    def outcome(self, container_ended: float | None, patience: float) -> Outcome | None:
        """What became of it, once that is known; a client that takes longer is ended.

        `container_ended` is when its container did, None while it runs.
        """
        now = time.time()
        if self._ended is None and self._client.poll() is not None:
            self._ended = now
        if now > (container_ended or self._latest) + patience:
            return self._over(container_ended)
        if container_ended is None or self._ended is None:
            return None
        return self._over(container_ended)

    def _over(self, container_ended: float | None) -> Outcome:
        status = self._client.poll()
        self._client.kill()
        self._client.wait()
        text = OUR_PREFIX.sub("", self._said.read_text(errors="replace"))
        known = self._ended and container_ended and self._ended - container_ended
        return Outcome(
            case=self.case,
            complete=COMPLETE.fullmatch("\n".join(OUTPUT.findall(text))) is not None,
            status=status,
            knew=known,
            output=text,
        )
