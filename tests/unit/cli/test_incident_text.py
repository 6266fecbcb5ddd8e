from tracekeeper.cli.incident_text import comparison
from tracekeeper.cli.incident_words import told
from tracekeeper.cli.terminal import Palette
from tracekeeper.net.experiment import Measured
from tracekeeper.net.incident.clients import clients
from tracekeeper.net.incident.matrix import Setting, calculate, cases

SETTING = Setting(10, clients(10))


def test_what_a_client_was_told() -> None:
    assert told("open", 0, lost=True) == "LOST, never told"
    assert told("end", 0, 12.0, lost=False) == "complete"
    assert told("end", 0, 12.0, lost=True) == "LOST, ended as if complete"
    assert told("end", 1, lost=False) == "complete, resumed 1 time"
    assert told("ETIMEDOUT", 2, 30.2, lost=False) == "complete, resumed 2 times, ETIMEDOUT at 30 s"
    assert told("ECONNRESET", 0, lost=True) == "LOST, ECONNRESET"


def compared(*found: Measured) -> list[str]:
    rows = cases([8, 12], ["tls"], ["none"], ["drop"])[: len(found)]
    results = calculate(rows, SETTING, after=12)
    measured = dict(zip(rows, found, strict=True))
    return comparison(results, SETTING, measured, Palette(False)).splitlines()


KEPT = Measured(lost=False, ending="end", at=8.1, breaks=0)


def test_the_lab_agrees() -> None:
    lost = "LOST, never told      LOST, never told"
    lines = compared(KEPT, Measured(lost=True, ending="open", at=None, breaks=0))
    assert lines[3:] == [
        "engine by  client        sleep 8: calculated  measured  sleep 12: calculated  measured",
        f"TLS        no keepalive  complete             complete  {lost}",
        "",
        "The lab agrees in all 2 rows.",
    ]


def test_each_difference_is_named() -> None:
    lines = compared(KEPT, Measured(lost=True, ending="ETIMEDOUT", at=20.0, breaks=0))
    assert lines[4].endswith("LOST, never told      DIFFERS: LOST, ETIMEDOUT")
    assert lines[-1] == "The lab differs in 1 of 2 rows."


def test_one_row_needs_no_number() -> None:
    assert compared(KEPT)[-1] == "The lab agrees."
    assert compared(Measured(lost=True, ending="open", at=None, breaks=0))[-1] == "The lab differs."
