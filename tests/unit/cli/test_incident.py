import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tracekeeper.cli.incident import command
from tracekeeper.cli.main import run_command_line
from tracekeeper.net.experiment import Ending, Measured
from tracekeeper.net.incident.matrix import Case, Setting

ROW = ("--executor", "tls", "--client", "none", "--variant", "drop", "--sleep", "601")


def printed(*arguments: str) -> str:
    result = CliRunner().invoke(command, arguments, catch_exceptions=False, standalone_mode=False)
    assert result.return_value == 0
    return result.output


def document(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(printed("--json", *arguments))
    return found


def test_the_whole_matrix_is_five_lines_and_its_conclusion() -> None:
    assert (
        printed()
        == """\
The job: date; sleep N; echo "Hello world!"; date; exit 1
A firewall forgets a connection after 600 s without a packet; the engine sends no keepalives.

engine by    client                                                      sleep 599  sleep 601
UNIX socket  any                                                         complete   complete
TCP          no keepalive, sysctls only                                  complete   LOST, never told
TCP          15 s keepalive, 30 s keepalive but not on TLS, Tracekeeper  complete   complete
TLS          no keepalive, sysctls only, 30 s keepalive but not on TLS   complete   LOST, never told
TLS          15 s keepalive, Tracekeeper                                 complete   complete

180 rows calculated, with live traces on and off: 30 lose the log.

A log is lost when all of these meet:
  - the engine is reached by TLS
  - the client has no keepalive, sysctls only or 30 s keepalive but not on TLS
  - the job is silent for 601 s, longer than the firewall's 600 s
or these:
  - the engine is reached by TCP or TLS
  - the client has no keepalive or sysctls only
  - the job is silent for 601 s, longer than the firewall's 600 s

No matter: what the firewall does once it has forgotten; live traces on or off.
"""
    )


def test_the_documentation_shows_what_is_printed() -> None:
    page = Path(__file__).parents[3] / "docs" / "incident-model.md"
    assert f"```\n$ tracekeeper incident\n{printed()}```\n" in page.read_text()


def test_what_the_firewall_does_is_shown_where_it_matters() -> None:
    text = printed("--idle", "10", "--daemon-keepalive", "15", "--sleep", "12")
    assert "the engine sends a keepalive every 15 s." in text
    assert "firewall then" in text
    assert "LOST, ECONNRESET at 15 s" in text
    assert "  - the firewall drops or rejects once it has forgotten\n" in text
    assert "No matter: live traces on or off.\n" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--client", "ours"), "No log is lost."),
        (("--client", "none", "--executor", "tcp", "--sleep", "700"), "Every log is lost."),
        (("--executor", "tls", "--client", "none", "--variant", "drop"), "No matter: live traces"),
        (("--daemon-keepalive", "15"), "No log is lost."),
    ],
)
def test_options_choose_rows(arguments: tuple[str, ...], said: str) -> None:
    assert said in printed(*arguments)


def test_one_row_packet_by_packet() -> None:
    lines = printed("--explain", *ROW).splitlines()
    title = (
        "Engine by TLS; client: no keepalive; firewall: forgets after 600 s, drops then; sleep 601"
    )
    assert lines[0] == title
    assert lines[1] == (
        "Seconds since the job's start; of the handshakes of TCP and TLS only the SYN is shown."
    )
    assert lines[6:9] == [
        "    600.002  firewall         forgotten",
        "    601.000  client ← engine  data, 13 bytes  dropped by the firewall",
        "    601.000  client ← engine  data, 29 bytes  dropped by the firewall",
    ]
    assert lines[-5:] == [
        "    653.224  client ← engine  retransmission, 13 bytes  dropped by the firewall",
        "    705.448  engine           gives the connection up (ETIMEDOUT)",
        "          …  nothing more is sent: the client waits for ever",
        "",
        "LOST, never told: 29 of 71 bytes reached the client.",
    ]


def test_a_long_row_of_keepalives_is_cut_short() -> None:
    ours = [*ROW[:3], "ours", *ROW[4:]]
    lines = printed("--explain", *ours).splitlines()
    assert "          …  74 more of these" in lines
    assert lines[-1] == "complete: 71 of 71 bytes reached the client."
    [row] = [r for r in document("--explain", *ours)["rows"] if r["live"]]
    assert sum(event["kind"] == "keepalive" for event in row["events"]) == 40


def test_a_unix_socket_has_no_firewall() -> None:
    text = printed(
        "--explain", "--executor", "unix", "--client", "none", "--variant", "drop", "--sleep", "601"
    )
    assert (
        text
        == """\
Engine by UNIX socket; client: no keepalive; sleep 601
Seconds since the job's start.

      0.000  client ← engine  data, 29 bytes
    601.000  client ← engine  data, 13 bytes
    601.000  client ← engine  data, 29 bytes

complete: 71 of 71 bytes reached the client.
"""
    )


def test_json_has_every_row_and_what_must_meet() -> None:
    found = document()
    assert (found["v"], found["idle"], found["daemon_keepalive"]) == (1, 600, 0)
    assert len(found["rows"]) == 180
    assert found["lost_when"][0] == {
        "executor": ["tls"],
        "client": ["30s", "none", "sysctl"],
        "variant": ["drop", "reject", "reopen"],
        "live": [False, True],
        "sleep": [601],
    }
    assert found["rows"][0] == {
        "executor": "unix",
        "client": "none",
        "variant": "drop",
        "live": True,
        "sleep": 599,
        "lost": False,
        "received": 71,
        "written": 71,
        "ending": "end",
        "at": 599.002,
        "breaks": 0,
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--explain",), "--explain shows one row, and 90 are chosen (live traces apart)"),
        (("--real", "--explain", *ROW), "--real measures a real engine"),
        (("--real", "--daemon-keepalive", "15"), "--real measures a real engine"),
        (("--sleep", "0"), "invalid value for '--sleep'"),
        (("--client", "curl"), "invalid value for '--client'"),
    ],
)
def test_wrong_usage(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert run_command_line(["incident", *arguments]) == 2
    assert said in capsys.readouterr().err


def measured(monkeypatch: pytest.MonkeyPatch, *, lost: bool) -> None:
    """Let the lab find this in each row."""

    def measure(rows: list[Case], _setting: Setting) -> dict[Case, Measured]:
        ending: Ending = "open" if lost else "end"
        return {case: Measured(lost, ending, None if lost else 12.1, 0) for case in rows}

    monkeypatch.setattr("tracekeeper.net.experiment.measure", measure)


@pytest.mark.parametrize(("lost", "status"), [(True, 0), (False, 1)])
def test_a_lab_that_differs_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lost: bool, status: int
) -> None:
    measured(monkeypatch, lost=lost)
    options = ["--real", "--executor", "tls", "--client", "none", "--sleep", "12"]
    assert run_command_line(["incident", *options]) == status
    said, progress = capsys.readouterr()
    assert progress == "Measuring 3 rows in the lab, side by side: about 36 s …\n"
    assert ("The lab agrees in all 3 rows." in said) == lost
    assert "forgets a connection after 10 s" in said
    assert run_command_line(["incident", "--json", *options]) == status
    row = json.loads(capsys.readouterr().out)["rows"][0]
    assert row["lost"]
    assert row["measured"]["lost"] == lost
