"""Commands import what they need and nothing else: `run` and `lint` must start fast."""

import subprocess
import sys
from typing import Any

import pytest

NEVER = {"rich", "zipfile", "aiohttp", "tracekeeper.cli.completion"}
ENGINE = {"h11", "ssl", "tracekeeper.engine.client", "tracekeeper.runner.executors.docker"}
RUNNER = {"asyncio", "ahocorasick_rs", "tracekeeper.runner.job", "tracekeeper.local.run"}
# `run` cannot do without asyncio, which loads ssl.
PIPELINE = {"yaml", "tracekeeper.pipeline.load", "tracekeeper.local.project"}


@pytest.mark.parametrize(
    ("command", "unwanted"),
    [
        ("--version", NEVER | ENGINE | RUNNER | PIPELINE | {"subprocess", "json", "difflib"}),
        ("--help", NEVER | ENGINE | RUNNER | PIPELINE | {"subprocess", "json", "difflib"}),
        ("lint", NEVER | ENGINE | RUNNER | {"json", "difflib", "concurrent.futures"}),
        ("list", NEVER | ENGINE | RUNNER | {"json", "difflib", "concurrent.futures"}),
        ("show a", NEVER | ENGINE | RUNNER | {"json", "difflib", "concurrent.futures"}),
        ("run", NEVER | ENGINE - {"ssl"} | {"difflib", "tracekeeper.cli.json_renderer"}),
        ("logs a", NEVER | ENGINE | RUNNER | PIPELINE | {"tracekeeper.cli.ledger"}),
        ("incident", NEVER | ENGINE | RUNNER | PIPELINE | {"socket", "subprocess", "json"}),
    ],
)
def test_a_command_imports_only_what_it_needs(
    project: Any, command: str, unwanted: set[str]
) -> None:
    project.write("a: {script: [echo]}")
    project.tracekeeper("run")
    code = (
        "import sys\nfrom tracekeeper.cli.main import run_command_line\n"
        f"code = run_command_line({command.split()!r})\n"
        f"sys.exit(str(sorted(sys.modules.keys() & {unwanted!r})) if code == 0 else code)"
    )
    result = subprocess.run(
        [sys.executable, "-I", "-c", code],
        cwd=project.path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stderr.splitlines()[-1] == "[]"
