"""Every combination of what may matter, and which of them lose the log. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import get_args

import msgspec

from tracekeeper.net.incident.clients import Client, ClientName, Executor
from tracekeeper.net.incident.conditions import Row
from tracekeeper.net.incident.firewall import Variant
from tracekeeper.net.incident.options import SocketOptions
from tracekeeper.net.incident.server import kept
from tracekeeper.net.incident.simulation import Outcome, Scenario, simulate

EXECUTORS: tuple[Executor, ...] = get_args(Executor)
CLIENTS: tuple[ClientName, ...] = get_args(ClientName)
VARIANTS: tuple[Variant, ...] = get_args(Variant)
FACTORS = ("executor", "client", "variant", "live", "sleep")


class Case(msgspec.Struct, frozen=True):
    """One row of the matrix; `sleep` is in seconds, `live` says whether live traces are on."""

    executor: Executor
    client: ClientName
    variant: Variant
    live: bool
    sleep: int


class Setting(msgspec.Struct, frozen=True):
    """What is the same for all rows: the firewall's idle limit in seconds, and the daemon."""

    idle: int
    clients: Mapping[ClientName, Client]
    daemon: SocketOptions = SocketOptions()


class Result(msgspec.Struct, frozen=True):
    """What came of a case."""

    case: Case
    outcome: Outcome
    lost: bool
    """Whether a reader of the trace misses something."""


def cases(
    sleeps: Sequence[int],
    executors: Sequence[Executor] = EXECUTORS,
    clients: Sequence[ClientName] = CLIENTS,
    variants: Sequence[Variant] = VARIANTS,
) -> list[Case]:
    """All rows of these values, with live traces on and off."""
    return [
        Case(executor, client, variant, live, sleep)
        for executor, client, variant, live, sleep in product(
            executors, clients, variants, (True, False), sleeps
        )
    ]


def calculate(rows: Iterable[Case], setting: Setting, after: int | None = None) -> list[Result]:
    """The results of `rows`: at the end of all that happens, or `after` seconds after the sleep."""
    seen: dict[Scenario, Outcome] = {}
    results = []
    for case in rows:
        scenario = _scenario(case, setting)
        if scenario not in seen:  # the network does not know what the server does with a trace
            until = None if after is None else scenario.sleep + after * 1000
            seen[scenario] = simulate(scenario, until)
        outcome = seen[scenario]
        lost = kept(outcome.received, live=case.live) != outcome.log
        results.append(Result(case, outcome, lost))
    return results


def losses(results: Iterable[Result]) -> dict[Row, bool]:
    """For each row, as the values of `FACTORS`, whether it loses the log."""
    return {
        tuple(getattr(result.case, factor) for factor in FACTORS): result.lost for result in results
    }


def _scenario(case: Case, setting: Setting) -> Scenario:
    return Scenario(
        executor=case.executor,
        client=setting.clients[case.client],
        variant=case.variant,
        sleep=case.sleep * 1000,
        idle=setting.idle * 1000,
        daemon=setting.daemon,
    )
