"""The calculation against the lab: real kernels, a real firewall, a real engine."""

import pytest

from tracekeeper.cli.incident import LAB_DAEMON, LAB_IDLE
from tracekeeper.cli.main import run_command_line
from tracekeeper.net.experiment import measure, watched
from tracekeeper.net.incident.clients import ClientName, Executor, clients, every
from tracekeeper.net.incident.firewall import Variant
from tracekeeper.net.incident.matrix import Case, Setting, calculate

BELOW, ABOVE = LAB_IDLE - 2, LAB_IDLE + 2
SETTING = Setting(LAB_IDLE, clients(LAB_IDLE), every(LAB_DAEMON))


def row(
    executor: Executor, client: ClientName, variant: Variant = "drop", sleep: int = ABOVE
) -> Case:
    return Case(executor, client, variant, True, sleep)


ROWS = [
    row("unix", "none"),
    row("tls", "none", sleep=BELOW),
    row("tls", "none"),
    row("tls", "sysctl"),
    row("tls", "15s"),
    row("tls", "30s"),
    row("tls", "ours"),
    row("tcp", "none"),
    row("tcp", "ours"),
    row("tls", "none", "reject"),
    row("tls", "15s", "reject"),
    row("tls", "ours", "reject"),
    row("tls", "none", "reopen"),
    row("tls", "15s", "reopen"),
    row("tls", "ours", "reopen"),
]


@pytest.mark.root
@pytest.mark.timeout(240)
def test_what_is_calculated_is_what_happens() -> None:
    results = calculate(ROWS, SETTING, after=watched(LAB_IDLE))
    calculated = {
        (case.executor, case.client, case.variant, case.sleep): (result.lost, outcome.ending)
        for result in results
        for case, outcome in [(result.case, result.outcome)]
    }
    measured = {
        (case.executor, case.client, case.variant, case.sleep): (found.lost, found.ending)
        for case, found in measure(ROWS, SETTING).items()
    }
    assert measured == calculated
    assert {ending for _, ending in measured.values()} == {"end", "open", "ECONNRESET"}


@pytest.mark.root
def test_anybody_with_a_lab_can_measure_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--real", "--idle", "4", "--sleep", "6", "--variant", "drop", "--executor", "tls"]
    assert run_command_line(["incident", *options, "--client", "none", "--client", "ours"]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[-1] == "The lab agrees in all 2 rows."
    assert said.err == "Measuring 2 rows in the lab, side by side: about 24 s …\n"
