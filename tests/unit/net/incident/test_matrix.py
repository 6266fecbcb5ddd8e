from tracekeeper.net.incident.clients import clients, every
from tracekeeper.net.incident.conditions import prime_boxes
from tracekeeper.net.incident.matrix import (
    CLIENTS,
    EXECUTORS,
    VARIANTS,
    Case,
    Setting,
    calculate,
    cases,
    losses,
)

INCIDENT = Setting(600, clients(600))
NETWORK, ANYHOW, EITHER = frozenset({"tcp", "tls"}), frozenset(VARIANTS), frozenset({True, False})


def test_the_matrix_is_every_combination() -> None:
    rows = cases([599, 601])
    assert len(rows) == len(set(rows)) == 3 * 5 * 3 * 2 * 2
    assert cases([7], ["tls"], ["ours"], ["drop"]) == [
        Case("tls", "ours", "drop", True, 7),
        Case("tls", "ours", "drop", False, 7),
    ]


def test_three_conditions_had_to_meet() -> None:
    results = calculate(cases([599, 601]), INCIDENT)
    assert set(prime_boxes(losses(results))) == {
        (NETWORK, frozenset({"none", "sysctl"}), ANYHOW, EITHER, frozenset({601})),
        (
            frozenset({"tls"}),
            frozenset({"none", "sysctl", "30s"}),
            ANYHOW,
            EITHER,
            frozenset({601}),
        ),
    }


def test_a_modern_daemon_keeps_every_log_at_ten_minutes_and_none_at_ten_seconds() -> None:
    modern = Setting(600, clients(600), every(15))
    assert not any(result.lost for result in calculate(cases([601]), modern))
    lab = Setting(10, clients(10), every(15))
    lost = {
        result.case.client
        for result in calculate(cases([20], ["tls"], variants=["drop"]), lab)
        if result.lost
    }
    assert lost == {"none", "sysctl", "15s", "30s"}


def test_what_is_known_so_long_after_the_sleep() -> None:
    rows = [Case("tls", "15s", "drop", True, 20)]
    lab = Setting(10, clients(10))
    [soon], [late] = calculate(rows, lab, after=25), calculate(rows, lab)
    assert (soon.outcome.ending, late.outcome.ending) == ("open", "ETIMEDOUT")


def test_all_values_have_names() -> None:
    assert EXECUTORS == ("unix", "tcp", "tls")
    assert set(CLIENTS) == set(clients(600))
