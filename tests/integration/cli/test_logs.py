"""Kept logs: byte by byte, while they grow, of killed runs, and after somebody altered them."""

import os
import random
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tracekeeper.trace.utf8 import Utf8

RANDOM = random.Random(20261123)  # fixed: what is tested is the same every time


def valid_utf8(size: int) -> bytes:
    """Random bytes made valid, control characters, carriage returns and newlines among them."""
    utf8 = Utf8()
    return utf8.feed(RANDOM.randbytes(size)) + utf8.finish()


def test_raw_is_what_the_job_wrote(project: Any, tmp_path: Path) -> None:
    data = valid_utf8(300_000) + "日本 🚀\r\n".encode() * 1000 + b"no newline"
    (tmp_path / "data").write_bytes(data)
    project.write(f"a:\n  script:\n    - cat {tmp_path}/data\n")
    assert project.tracekeeper("run").returncode == 0
    log = project.tracekeeper("logs", "a", "--raw").stdout
    assert data in log
    before, after = log.split(data)
    assert before.endswith(b"data\x1b[0;m\n")
    assert after.startswith(b"\nsection_end:")


def test_without_raw_only_text_is_left(project: Any) -> None:
    project.write(
        r"""a: {script: ["printf '\\033[31mred\\033[2J\\033]0;t\\007 \\302\\2332J\\n'"]}"""
    )
    project.tracekeeper("run")
    log = project.tracekeeper("logs", "a").stdout
    assert b"\nred 2J\n" in log
    assert b"section_" not in log
    assert b"\x1b" not in log
    coloured = project.tracekeeper("logs", "a", FORCE_COLOR="1").stdout
    assert b"\n\x1b[31mred 2J\n" in coloured


PARALLEL = """
build: {parallel: 2, script: [echo node $CI_NODE_INDEX]}
test:
  parallel: {matrix: [{OS: [linux, mac]}]}
  script: [echo on $OS]
"""


def test_a_parallel_job_names_all_its_instances(project: Any) -> None:
    project.write(PARALLEL)
    project.tracekeeper("run")
    build = project.tracekeeper("logs", "build").stdout.decode()
    assert "── build 1/2 (run 1) ──" in build
    assert "── build 2/2 (run 1) ──" in build
    assert "on linux" not in build
    only = project.tracekeeper("logs", "test: [mac]").stdout.decode()
    assert "on mac" in only
    assert "on linux" not in only
    assert "──" not in only


def test_which_run(project: Any) -> None:
    project.write("a: {script: [echo $WORD]}\nb: {script: [echo]}\n")
    for word in ("first", "second"):
        project.tracekeeper("run", "a", "-V", f"WORD={word}")
    project.tracekeeper("run", "b")
    assert b"second" in project.tracekeeper("logs", "a").stdout, "the newest that has it"
    assert b"first" in project.tracekeeper("logs", "a", "--run", "1").stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("unti",), "there is no log of 'unti' in any run\n  did you mean `unit`?"),
        (("x", "--run", "1"), "there is no log of 'x' in run 1"),
        (("--run", "9"), "run 9 is not kept in .tracekeeper"),
        (("unit", "--ledger", "--raw"), "--ledger shows no text: it cannot go with"),
        (("--data", "else"), "nothing is kept in else\n  `tracekeeper run` starts a run"),
    ],
)
def test_what_is_not_there_is_said(project: Any, arguments: tuple[str, ...], sentence: str) -> None:
    project.write("unit: {script: [echo]}")
    project.tracekeeper("run")
    result = project.tracekeeper("logs", *arguments)
    assert result.returncode == 2
    assert result.stderr.decode().startswith(f"tracekeeper: {sentence}")


def test_following_a_job_ends_with_it(project: Any, tmp_path: Path) -> None:
    go = tmp_path / "go"
    wait = f"printf 'Continue? '; until [ -e {go} ]; do sleep 0.05; done"
    project.write(
        f'stages: [x, y]\na: {{stage: x, script: ["{wait}; echo y"]}}\n'
        "b: {stage: y, script: [sleep 100]}\n"
    )
    run = project.start("run")
    project.until_logged("job_started")
    follower = project.start("logs", "a", "--follow", stdout=subprocess.PIPE)
    seen = b""
    while not seen.endswith(b"\nContinue? "):
        seen += os.read(follower.stdout.fileno(), 1000)
    go.touch()
    rest, _ = follower.communicate(timeout=30)
    assert rest == b"y\nJob succeeded\n"
    assert run.poll() is None
    project.until_logged("job_started.*100002")
    early = project.tracekeeper("logs", "b")
    assert early.stderr == b"tracekeeper: b still runs; --follow shows the rest\n"
    run.send_signal(signal.SIGINT)
    assert run.wait(30) == 130


def test_following_a_run_picks_up_what_begins_later(project: Any, tmp_path: Path) -> None:
    go = tmp_path / "go"
    project.write(
        f"stages: [x, y]\na: {{stage: x, script: ['until [ -e {go} ]; do sleep 0.05; done']}}\n"
        "b: {stage: y, script: [echo said by b]}\nc: {stage: y, when: manual, script: [x]}\n"
    )
    run = project.start("run")
    project.until_logged("job_started")
    later = project.start("logs", "b", "--follow", stdout=subprocess.PIPE)
    everything = project.start("logs", "--follow", stdout=subprocess.PIPE)
    go.touch()
    for follower in (later, everything):
        text, _ = follower.communicate(timeout=30)
        assert b"\nsaid by b\n" in text
    assert text.startswith("── a (run 1) ──\n".encode())
    assert run.wait(30) == 0


def test_following_a_job_that_is_skipped_ends_with_a_sentence(project: Any, tmp_path: Path) -> None:
    go = tmp_path / "go"
    wait = f"until [ -e {go} ]; do sleep 0.05; done"
    project.write(
        f"stages: [x, y]\na: {{stage: x, script: ['{wait}; false']}}\n"
        "b: {stage: y, script: [echo]}\n"
    )
    run = project.start("run")
    project.until_logged("job_started")
    follower = project.start("logs", "b", "--follow")
    go.touch()
    assert follower.wait(30) == 2
    assert run.wait(30) == 1


def test_a_killed_runs_log_is_shown_as_far_as_it_goes(project: Any) -> None:
    project.write("a: {script: [echo before, sleep 300]}\n")
    run = project.start("run")
    project.shell("until grep -qs before .tracekeeper/runs/1/jobs/1-a/trace; do sleep 0.05; done")
    run.kill()
    run.wait()
    for options in ((), ("-f",)):
        result = project.tracekeeper("logs", "a", *options)
        assert b"\nbefore\n" in result.stdout
        assert result.stderr == (
            b"tracekeeper: run 1 was killed; its log ends here;"
            b" `tracekeeper run --resume` goes on with the run\n"
        )
    ledger = project.tracekeeper("logs", "a", "--ledger")
    assert b"was never closed: its run was killed" in ledger.stdout
    project.write("a: {script: [echo]}\n")
    project.tracekeeper("run")  # cleans up
    result = project.tracekeeper("logs", "a", "--run", "1")
    assert result.stderr == b"tracekeeper: run 1 was killed; its log ends here\n"


def test_the_ledger_names_the_hop_where_a_log_was_altered(project: Any) -> None:
    project.write("a: {script: [echo the answer is 42]}\nb: {script: [echo]}\n")
    project.tracekeeper("run")
    proven = project.tracekeeper("logs", "a", "--ledger")
    first, *rows = proven.stdout.decode().splitlines()
    assert (proven.returncode, first) == (0, "a (run 1): proven")
    hops = [row.split()[0] for row in rows if not row.startswith(" ")]
    assert hops == ["hop", "source", "recorded", "spool", "read"]
    trace = project.path / ".tracekeeper/runs/1/jobs/1-a/trace"
    trace.write_bytes(trace.read_bytes().replace(b"answer is 42", b"answer is 43"))
    altered = project.tracekeeper("logs", "--ledger")
    assert altered.returncode == 1
    assert "a (run 1): altered: read holds " in altered.stdout.decode()
    assert "b (run 1): proven" in altered.stdout.decode()


def test_the_ledgers_sums_are_right(project: Any, tmp_path: Path) -> None:
    project.write("a: {script: [\"printf 's3cret-token \\\\377 x'\"]}\n")
    (tmp_path / "vars.yml").write_text("TOKEN: {value: s3cret-token, masked: true}\n")
    project.tracekeeper("run", "--variables-file", str(tmp_path / "vars.yml"))
    ledger = project.tracekeeper("logs", "a", "--ledger").stdout.decode()
    numbers = [int(line[8:].split()[0].replace(",", "")) for line in ledger.splitlines()[2:]]
    *parts, recorded, spool, read = numbers
    assert sum(parts) == recorded == spool == read
    assert "masking of " in ledger
    assert "1 bytes that were not UTF-8" in ledger
