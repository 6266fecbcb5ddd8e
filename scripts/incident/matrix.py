"""All cases of the incident at once: a lab for each variant of the firewall, a client each row."""

import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import get_args

import msgspec
from scripts.incident.attempt import Attempt, Case, Outcome, Place
from scripts.incident.clients import CLIENTS

from tracekeeper.net.lab import Lab, Variant

FORGETFUL: tuple[Variant, ...] = tuple(name for name in get_args(Variant) if name != "none")
SECOND_EXACT_FROM = 60
"""Idle limits from here on are tested a second below and a second above, as the incident was."""
ENGINE_KEEPALIVE = 15
"""Seconds between the keepalives of an engine that Go 1.13 or later built (net.ListenConfig)."""
LOOK_EVERY = 0.1
APART = 0.5
"""Seconds between two starts, so that the ends, which are timed, do not disturb each other."""
LAB_STARTS = 10
"""Seconds that a lab takes to start, most often fewer."""
EVENTS = "events"


def sleeps(idle: int) -> tuple[int, int]:
    """How long the job is quiet, in seconds, below and above the limit."""
    return (idle - 1, idle + 1) if idle >= SECOND_EXACT_FROM else (idle * 4 // 5, idle * 2)


def places(idle: int) -> list[Place]:
    """Every forgetful firewall; where the keepalives of a modern engine come often enough to hide
    what it does, also with an engine that has none."""
    keepalives = (True, False) if idle > ENGINE_KEEPALIVE else (True,)
    return [Place(variant, keepalive) for keepalive in keepalives for variant in FORGETFUL]


def cases(idle: int, clients: Iterable[str] = CLIENTS) -> list[Case]:
    """Every client in every place, below and above the limit."""
    names = tuple(clients)
    return [
        Case(client, place, sleep)
        for place in places(idle)
        for client in names
        for sleep in sleeps(idle)
    ]


def longest(wanted: list[Case], patience: float) -> float:
    """Seconds that `run` takes if a client never comes to its end."""
    labs = len({case.place for case in wanted})
    return LAB_STARTS * labs + APART * len(wanted) + max(case.sleep for case in wanted) + patience


def run(
    wanted: list[Case], idle: int, patience: float, told: Callable[[Outcome], None]
) -> list[Outcome]:
    """Run all cases side by side, a lab for each place; what became of them, in their order.

    `patience` is how many seconds after the end of its container a client is waited for.
    """
    found: dict[Case, Outcome] = {}
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tk-incident-")))
        sites = {
            place: stack.enter_context(_site(place, idle, directory / str(number)))
            for number, place in enumerate(dict.fromkeys(case.place for case in wanted))
        }
        waiting, attempts = list(wanted), dict[Case, Attempt]()
        next_start = time.monotonic()
        while waiting or attempts:
            if waiting and time.monotonic() >= next_start:
                next_start += APART
                case = waiting.pop(0)
                site = sites[case.place]
                attempts[case] = Attempt(case, site.lab, idle, site.directory)
            time.sleep(LOOK_EVERY)
            deaths = {place: site.deaths() for place, site in sites.items()}
            for case, attempt in list(attempts.items()):
                died = deaths[case.place].get(attempt.image)
                if (outcome := attempt.outcome(died, patience)) is not None:
                    found[case] = outcome
                    told(outcome)
                    del attempts[case]
    return [found[case] for case in wanted]


class Site(msgspec.Struct):
    """A place that has been built."""

    lab: Lab
    directory: Path

    def deaths(self) -> dict[str, float]:
        """Which image's container ended when, in seconds since the epoch."""
        *lines, _unfinished = (self.directory / EVENTS).read_text().split("\n")
        events = [json.loads(line) for line in lines]
        return {event["from"]: event["timeNano"] / 1e9 for event in events}


@contextmanager
def _site(place: Place, idle: int, directory: Path) -> Iterator[Site]:
    """A lab whose engine's own client notes, past the network, when a container ends."""
    directory.mkdir()
    with (
        Lab(idle, place.variant, engine_keepalive=place.engine_keepalive) as lab,
        (directory / EVENTS).open("wb") as out,
    ):
        words = ["docker", "--host", lab.socket, "events"]
        words += ["--filter", "event=die", "--format", "{{json .}}"]
        watcher = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out)
        try:
            yield Site(lab, directory)
        finally:
            watcher.kill()
            watcher.wait()
