"""What a person sees on a terminal, as tmux shows it."""

import re
from pathlib import Path
from typing import Any

PROMPT = """
stages: [build, test]
ask:
  stage: build
  script:
    - printf 'Continue? [y/N] '; until [ -e {go} ]; do sleep 0.05; done; echo y
"""


def gate(tmp_path: Path) -> tuple[Path, str]:
    """A file that the job waits for, and a pipeline with that job."""
    go = tmp_path / "go"
    return go, PROMPT.format(go=go)


def test_a_prompt_and_the_status_line_are_seen_and_go_away(
    project: Any, terminal: Any, tmp_path: Path
) -> None:
    go, pipeline = gate(tmp_path)
    project.write(pipeline)
    window = terminal("tracekeeper", "run")
    screen = window.until_shown("ask │ Continue? [y/N]")
    *_, prompt, status = screen.splitlines()
    assert prompt == "ask │ Continue? [y/N]"
    assert re.fullmatch(r"[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] 0/1  ask \d[\d.]* m?s", status)
    go.touch()
    screen = window.until_shown("Run 1 passed")
    assert screen.count("Continue? [y/N]\n") == 0
    assert "ask │ Continue? [y/N] y\n" in screen
    assert "0/1" not in screen


def test_the_area_survives_a_terminal_that_is_made_narrower(
    project: Any, terminal: Any, tmp_path: Path
) -> None:
    go, pipeline = gate(tmp_path)
    project.write(pipeline.replace("Continue?", "Continue with all of the many things?"))
    window = terminal("tracekeeper", "run", columns=100)
    window.until_shown("ask │ Continue with all of the many things? [y/N]")
    window.resize(44)
    screen = window.until_shown("ask │ … with all of the many things? [y/N]")
    assert max(map(len, screen.splitlines())) <= 44
    assert "ask │ Continue with" not in screen, "the wrapped area of before is gone"
    window.resize(90)
    screen = window.until(lambda screen: "ask │ Continue with all of the many" in screen)
    assert len(re.findall(r"ask \d[\d.]* m?s", screen)) == 1
    go.touch()
    screen = window.until_shown("Run 1 passed")
    assert screen.count("things? [y/N]\n") == 0


def test_sixty_jobs_leave_the_screen_to_the_output(
    project: Any, terminal: Any, tmp_path: Path
) -> None:
    go, pipeline = gate(tmp_path)
    project.write(pipeline + "  parallel: 60\n")
    window = terminal("tracekeeper", "run", "-j", "60", columns=70, lines=20)
    screen = window.until(
        lambda screen: len(re.findall(r"^ask.*│ Continue\? \[y/N\]$", screen, re.MULTILINE)) == 10
    )
    lines = screen.splitlines()
    assert len(lines) == 20
    assert len(lines[-1]) == 69
    assert lines[-1].endswith("…")
    go.touch()
    window.until_shown("Run 1 passed")
    window.until(lambda screen: "60 passed" in screen)


def test_a_job_cannot_disturb_the_screen(project: Any, terminal: Any) -> None:
    project.write(
        r"""
quiet:
  script: [echo kept]
wild:
  needs: [quiet]
  script:
    - printf '\033[2J\033[H\033[5A\033[?1049hwiped\033]0;title\007\033[31m red\n'
    - printf 'plain\n'; printf '10%%\r20%%\r\033[K30%%\n'
"日本 🚀":
  needs: [wild]
  script: ["echo 日本語"]
"""
    )
    window = terminal("tracekeeper", "run", lines=50)
    screen = window.until_shown("Run 1 passed")
    lines = [line.rstrip() for line in screen.splitlines()]
    for line in (
        "quiet   │ kept",
        "wild    │ wiped red",
        "wild    │ plain",
        "wild    │ 30%",
        "日本 🚀 │ 日本語",
    ):
        assert line in lines
    coloured = window.screen(escapes=True)
    assert re.search(r"wild    │\x1b\[39m wiped\x1b\[31m red", coloured)
    assert not re.search(r"\x1b\[31m[^\n]*plain", coloured)
    table = lines[lines.index(next(line for line in lines if line.startswith("job "))) :]
    assert [line.split()[-1] for line in table[1:4]] == ["proven"] * 3


def test_an_interrupted_run_ends_with_its_table(
    project: Any, terminal: Any, tmp_path: Path
) -> None:
    _, pipeline = gate(tmp_path)
    project.write(pipeline + "later: {stage: test, script: [echo]}\n")
    window = terminal("bash", "-c", "tracekeeper run; echo status $?", lines=50)
    window.until_shown("Continue?")
    window.press("C-c")
    screen = window.until_shown("status 130")
    assert "Run 1 was interrupted after" in screen
    assert "2 canceled." in screen
    assert re.search(r"^ask +canceled ", screen, re.MULTILINE)


def test_no_colour_and_no_bar_where_the_terminal_cannot(project: Any, terminal: Any) -> None:
    project.write("a: {script: [\"printf '\\\\033[31mred\\\\n'\"]}\n")
    for setting, bar in (("NO_COLOR=1", True), ("TERM=dumb", False)):
        command = f"{setting} tracekeeper run | cat; {setting} tracekeeper run > >(cat)"
        window = terminal("bash", "-c", f"{setting} tracekeeper run; {command}", lines=100)
        window.until_shown("Run 2" if bar else "Run 5")
        assert "\x1b[3" not in window.screen(escapes=True).replace("\x1b[39m", "")
