"""Bad pipeline files end `lint`, `list` and `run` with a sentence, a place and exit status 2."""

# ruff: noqa: E501 — tables of cases, one a line

import json
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

TIME_LIMIT = 60  # seconds; a bound on what would otherwise never end
JOB = "a: {script: x}\n"

Lines = Callable[..., list[str]]


def tracekeeper(directory: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "tracekeeper", *arguments],
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
    )


@pytest.fixture
def refused(tmp_path: Path) -> Lines:
    """The lines that `lint` prints of a file that it must refuse."""

    def lint(content: str | bytes) -> list[str]:
        data = content.encode() if isinstance(content, str) else content
        (tmp_path / ".gitlab-ci.yml").write_bytes(data)
        result = tracekeeper(tmp_path, "lint")
        assert result.returncode == 2
        assert "Traceback" not in result.stderr + result.stdout
        return result.stdout.splitlines()

    return lint


def bomb(line: str, last: int = 9) -> str:
    """Anchors that each hold the one before ten times; `line` takes a name and an alias."""
    names = [chr(ord("a") + number) for number in range(last + 1)]
    text = ".a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    for before, name in pairwise(names):
        text += line.format(name=name, alias=f"*{before}")
    return text + JOB


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("", "1:1: error: the file is empty"),
        ("\n# nothing\n", "1:1: error: the file is empty"),
        ("- a\n", "1:1: error: a pipeline file is a mapping of keywords"),
        ("text", "1:1: error: a pipeline file is a mapping of keywords"),
        ("a: {script: x, needs: [b]}\nb: {script: x, needs: [a]}\n", "2:24: error: jobs need each other in a circle: a → b → a"),
        ("a: {script: x, needs: [a]}\n", "1:24: error: job `a` needs itself"),
        ("a: {extends: b, script: x}\nb: {extends: a}\n", "2:14: error: `extends` goes in a circle: a → b → a"),
        ("a: {script: !reference [b, script]}\nb: {script: !reference [a, script]}\n", "1:13: error: references go in a circle: `!reference [b, script]` → `!reference [a, script]` → `!reference [b, script]`"),
        ("include: .gitlab-ci.yml\n" + JOB, "1:10: error: files include each other in a circle: .gitlab-ci.yml → .gitlab-ci.yml"),
        ("include: ../other.yml\n" + JOB, "1:10: error: the include `../other.yml` leaves the project"),
        ("include: /etc/hosts.yml\n" + JOB, "1:10: error: there is no file `etc/hosts.yml` in this project"),
        ("include: none.yml\n" + JOB, "1:10: error: there is no file `none.yml` in this project"),
        ("include: README.md\n" + JOB, "1:10: error: `README.md` does not look like YAML"),
        ("a: {script: x, stage: b}\nstages: [c]\n", "1:23: error: stage `b` of job `a` is not in `stages`"),
        ("image: {script: x}\n", "1:1: error: `image` is a keyword and cannot be the name of a job"),
        ("stages: {script: x}\n", "1:1: error: `stages` is a keyword and cannot be the name of a job"),
        ("default: {script: x}\n", "1:1: error: `default` is a keyword and cannot be the name of a job"),
        ("true: {script: x}\n", "1:1: error: `true` is no name: without quotes, YAML reads something else than text"),
        ("a: [b\n", "2:1: error: this list in `[ ]` goes on wrongly; what it belongs to begins at line 1"),
        ("a: {script: 'x}\n", "1:13: error: this quote is never closed"),
        ("a:\n\tscript: x\n", "2:1: error: a tab cannot indent YAML"),
        ("a:\n  script:\n\t- x\n", "3:1: error: a tab cannot indent YAML"),
        ("a: {script: *none}\n", "1:13: error: there is no anchor `&none`"),
        ("a: !!python/object:os.system {script: x}\n", "1:4: error: the tag `!!python/object:os.system` cannot stand here"),
        (b"a: {script: 'x\0y'}\n", "1:15: error: a NUL byte cannot stand in YAML"),
        (b"a: {script: '\x07'}\n", "1:14: error: the control character U+0007 cannot stand in YAML"),
        (b"a: {script: '\xff'}\n", "1:14: error: the byte 0xff is not valid UTF-8"),
        (JOB.encode("utf-16"), "1:1: error: the byte 0xff is not valid UTF-8"),
        ("a: {script: " + "[" * 500 + "]" * 500 + "}\n", "1:111: error: more than 100 levels of nesting"),
        ("\n".join("  " * depth + f"k{depth}:" for depth in range(300)), "101:201: error: more than 100 levels of nesting"),
        (bomb(".{name}: &{name} [" + ", ".join(["{alias}"] * 10) + "]\n"), "1:1: error: the file holds more than 200000 values, each alias counted as all it stands for"),
        ("a: {script: x, parallel: {matrix: [{" + ", ".join(f"V{n}: [1, 2, 3, 4]" for n in range(16)) + "}]}}\n", "1:26: error: `parallel:matrix` makes 4294967296 jobs, allowed are 1 to 200"),
        ("k" * 1_000_000 + ": {script: x}\n", "1:1000001: error: a `:` cannot stand here"),
    ],
    ids=lambda value: repr(value)[:40],
)  # fmt: skip
def test_refused(refused: Lines, content: str | bytes, line: str) -> None:
    assert f".gitlab-ci.yml:{line}" in refused(content)


def test_ten_megabytes(refused: Lines) -> None:
    content = "a:\n  script:\n" + "    - echo hello\n" * 650_000
    assert refused(content)[0] == (
        f".gitlab-ci.yml:1:1: error: the file is {len(content)} bytes long; at most 2097152 may be"
    )


def test_a_mapping_bomb(refused: Lines) -> None:
    line = ".{name}: &{name} {{p: {alias}, q: {alias}, r: {alias}}}\n"
    (first, *_) = refused(bomb(line, last=20))
    assert "the file holds more than 200000 values" in first


def test_every_error_of_a_file_at_once(refused: Lines) -> None:
    lines = refused("".join(f"job{number}: {{scriptt: x}}\n" for number in range(1000)))
    assert sum(": error: `scriptt` is not a keyword of a job" in line for line in lines) == 1000


def test_more_includes_than_allowed(refused: Lines, tmp_path: Path) -> None:
    for number in range(200):
        (tmp_path / f"{number}.yaml").write_text(f"job{number}: {{script: x}}\n")
    (first, *_) = refused("include: '*.yaml'\n" + JOB)
    assert first == ".gitlab-ci.yml:1:10: error: more than 150 files are included"


def test_files_that_are_no_files_of_the_project(refused: Lines, tmp_path: Path) -> None:
    outside = tmp_path.with_name(f"{tmp_path.name}-outside.yml")
    outside.write_text("secret: {script: x}\n")
    (tmp_path / "link.yml").symlink_to(outside)
    (tmp_path / "directory.yml").mkdir()
    os.mkfifo(tmp_path / "pipe.yml")
    lines = refused("include: [link.yml, directory.yml, pipe.yml]\n" + JOB)
    assert [line for line in lines if "error" in line] == [
        ".gitlab-ci.yml:1:11: error: `link.yml` cannot be read as a file of this project",
        ".gitlab-ci.yml:1:21: error: there is no file `directory.yml` in this project",
        ".gitlab-ci.yml:1:36: error: `pipe.yml` cannot be read as a file of this project",
    ]
    assert not any("secret" in line for line in lines)


@pytest.mark.parametrize(
    "content",
    [
        JOB.replace("\n", "\r\n").encode() + b"b:\r\n  script:\r\n    - |\r\n      x\r\n      y\r\n",
        b"\xef\xbb\xbf" + JOB.encode(),
        b"a: {script: '" + b"x" * 1_500_000 + b"'}\n",
        "".join(f"job{number}: {{script: x}}\n" for number in range(10_000)).encode(),
        b"j0: {script: x}\n" + b"".join(b"j%d: {script: x, needs: [j%d]}\n" % (n, n - 1) for n in range(1, 3000)),
    ],
    ids=["CRLF", "BOM", "long line", "10,000 jobs", "a chain of needs"],
)  # fmt: skip
def test_unusual_and_valid(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".gitlab-ci.yml").write_bytes(content)
    result = tracekeeper(tmp_path, "lint")
    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.parametrize(
    ("content", "warning"),
    [
        (JOB + JOB, "2:1: warning: `a` is given twice; this one counts"),
        ("a: {script: x, artifacts: {paths: [../y]}}\n", "1:36: warning: `artifacts:paths` leads out of the project: `../y` has no effect"),
        ("a: {script: x, cache: {paths: [/etc]}}\n", "1:32: warning: `cache:paths` leads out of the project: `/etc` has no effect"),
        ("a: {script: x, stage: .pre}\n", "1:1: warning: a pipeline with jobs in `.pre` and `.post` alone never runs"),
    ],
)  # fmt: skip
def test_accepted_as_gitlab_does(tmp_path: Path, content: str, warning: str) -> None:
    (tmp_path / ".gitlab-ci.yml").write_text(content)
    result = tracekeeper(tmp_path, "lint")
    assert result.returncode == 0
    assert f".gitlab-ci.yml:{warning}" in result.stdout.splitlines()


@pytest.mark.parametrize("command", ["list", "run", "show a"])
def test_every_command_refuses_the_same(tmp_path: Path, command: str) -> None:
    (tmp_path / ".gitlab-ci.yml").write_text("a: {script: x, stage: nowhere}\n")
    result = tracekeeper(tmp_path, *command.split())
    assert result.returncode == 2
    assert ".gitlab-ci.yml:1:23: error: stage `nowhere` of job `a`" in result.stderr
    assert "Traceback" not in result.stderr


def test_lint_of_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "pipeline").mkdir()
    result = tracekeeper(tmp_path, "lint", "none.yml", "pipeline")
    assert result.returncode == 2
    assert result.stdout.splitlines() == [
        "none.yml:1:1: error: there is no such file",
        "pipeline:1:1: error: it is a directory",
    ]


def test_a_list_of_jobs_does_not_hide_that_some_are_left_out(tmp_path: Path) -> None:
    content = "include: {template: X.yml}\na: {script: x}\nb: {script: x, needs: [c]}\n"
    (tmp_path / ".gitlab-ci.yml").write_text(content)
    result = tracekeeper(tmp_path, "list", "--json")
    assert result.returncode == 0
    assert [job["name"] for job in json.loads(result.stdout)] == ["a"]
    assert result.stderr == "3 warnings: see `tracekeeper lint`\n"
