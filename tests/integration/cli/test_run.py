"""Output that is no terminal: pipes, files, readers that leave or stop, programs that read JSON."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tracekeeper import events

FLOOD = """
stages: [build, test]
flood: {stage: build, script: ["seq 1 300000"]}
after: {stage: test, script: [echo done]}
"""


def test_a_pipe_gets_plain_lines(project: Any) -> None:
    project.write("a: {script: [\"printf '\\\\033[31mred\\\\n'\"]}\n")
    result = project.tracekeeper("run", TERM="xterm")
    assert b"\na \xe2\x94\x82 red\n" in b"\n" + result.stdout
    assert b"\x1b" not in result.stdout
    assert b"\r" not in result.stdout
    forced = project.tracekeeper("run", FORCE_COLOR="1")
    assert b" \x1b[31mred\x1b[0m\n" in forced.stdout
    assert b"\r" not in forced.stdout


def test_an_unfinished_line_is_a_line_of_its_own_in_a_pipe(project: Any, tmp_path: Path) -> None:
    go = tmp_path / "go"
    wait = f"until [ -e {go} ]; do sleep 0.05; done"
    project.write(f"ask: {{script: [\"printf 'Continue? '; {wait}; echo y\"]}}\n")
    process = project.start("run", stdout=subprocess.PIPE)
    lines = iter(process.stdout.readline, b"")
    assert "ask │ Continue? \n".encode() in lines
    go.touch()
    assert "ask │ Continue? y\n".encode() in lines
    process.communicate()
    assert process.returncode == 0


def test_a_reader_that_leaves_stops_no_job(project: Any) -> None:
    project.write(FLOOD)
    result = project.shell("tracekeeper run | head -n 3; echo ${PIPESTATUS[0]}")
    *shown, status = result.stdout.splitlines()
    assert (len(shown), status, result.stderr) == (3, b"0", b"")
    assert len(project.results()) == 2


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_reader_that_stops_stalls_no_job(
    project: Any, tmp_path: Path, options: tuple[str, ...]
) -> None:
    project.write(FLOOD)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(fifo, os.O_WRONLY)
    process = project.start("run", *options, stdout=writer)
    os.close(writer)
    lock = project.path / ".tracekeeper/runs/1/lock"
    project.shell(f"until [ -e {lock} ]; do sleep 0.02; done; flock -s {lock} true")
    assert len(project.results()) == 2
    assert process.poll() is None, "nobody has read anything"
    os.set_blocking(reader, True)
    with open(reader, "rb") as file:
        read = file.read()
    assert process.wait() == 0
    assert b"300000" in read
    assert read.endswith((b"2 passed.\n", b"}\n"))


@pytest.mark.parametrize("command", ["run", "run --json", "list", "lint", "show a", "logs"])
@pytest.mark.parametrize(
    ("stdout", "why"), [("/dev/full", "No space left on device"), ("&-", "Bad file descriptor")]
)
def test_output_that_cannot_be_written_is_told(
    project: Any, command: str, stdout: str, why: str
) -> None:
    project.write(
        "a: {script: [echo], when: always}\nb: {stage: x, script: [echo]}\nstages: [x, test]"
    )
    project.tracekeeper("run")
    if command == "lint":
        project.write("a: {scrpt: [echo]}\n")
    result = project.shell(f"tracekeeper {command} >{stdout}")
    sentence = f"tracekeeper: the output cannot be written: {why}\n"
    assert (result.returncode, result.stderr.decode()) == (1, sentence)


def test_json_is_the_whole_run_event_by_event(project: Any) -> None:
    project.write(
        "a:\n  script:\n    - seq 1 20000 | sed 's/$/ 日本 🚀 é/'\n"
        "    - printf '\\033[31mred\\033[0m 10%%\\r20%% no newline'\n"
        "b: {script: ['false'], allow_failure: true}\n"
    )
    result = project.tracekeeper("run", "--json")
    decoded = [events.decode(line) for line in result.stdout.splitlines()]
    assert result.returncode == 0
    assert isinstance(decoded[0], events.RunStarted)
    assert isinstance(decoded[-1], events.RunFinished)
    finished = {event.name: event for event in decoded if isinstance(event, events.JobFinished)}
    for name, event in finished.items():
        text = "".join(
            each.text
            for each in decoded
            if isinstance(each, events.Output) and each.job == event.job
        )
        assert text.encode() == project.tracekeeper("logs", name, "--raw").stdout
    assert {name: event.verdict for name, event in finished.items()} == {
        "a": "proven",
        "b": "proven",
    }


def test_json_tells_an_unfinished_line(project: Any, tmp_path: Path) -> None:
    go = tmp_path / "go"
    project.write(
        f"ask: {{script: [\"printf 'Continue? '; until [ -e {go} ]; do sleep 0.05; done\"]}}\n"
    )
    process = project.start("run", "--json", stdout=subprocess.PIPE)
    for line in process.stdout:
        event = events.decode(line)
        if isinstance(event, events.Output) and event.text.endswith("Continue? "):
            go.touch()
    process.communicate()
    assert (go.exists(), process.returncode) == (True, 0)


def test_times_stand_before_every_line_and_marks_leave_no_blank_ones(project: Any) -> None:
    project.write("a: {script: [echo one, echo, echo three]}\n")
    printed = project.tracekeeper("run", "--timestamps").stdout.decode()
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
    texts = re.findall(rf"^a │ {stamp} (.*)$", printed, re.MULTILINE)
    script = ["Running the script", "$ echo one", "one", "$ echo", "", "$ echo three", "three"]
    begin = texts.index(script[0])
    assert texts[begin:] == [*script, "Job succeeded"]
    assert texts.count("") == 1
    logged = project.tracekeeper("logs", "a", "--timestamps").stdout.decode()
    assert re.findall(rf"^{stamp} (.*)$", logged, re.MULTILINE) == texts
    assert len(logged.splitlines()) == len(texts)


def test_failures_are_told_again_at_the_end(project: Any) -> None:
    project.write(
        """
fails:
  script: [echo first, "seq 1 20", 'false']
  after_script: [echo "said afterwards"]
may fail:
  script: [exit 3]
  allow_failure: {exit_codes: [3]}
never:
  stage: deploy
  script: [echo]
by hand:
  stage: deploy
  when: manual
  script: [echo]
"""
    )
    result = project.tracekeeper("run", "-C", ".")
    report = result.stdout.decode().partition("\njob ")[2]
    assert result.returncode == 1
    repeated = report.partition("fails failed: exit code 1\n")[2].partition("\n\n")[0].splitlines()
    assert len(repeated) == 10
    assert repeated[-1] == "│ $ false"
    assert "said afterwards" not in report
    assert ": 1 failed, 1 failed as allowed, 2 skipped." in report
    assert report.endswith("The whole log: tracekeeper logs fails\n")
