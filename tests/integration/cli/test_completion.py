"""Completion in the real shells: commands, options and job names with special characters."""

import shutil
from typing import Any

import pytest

JOBS = """
build: {parallel: {matrix: [{OS: [linux], CC: gcc}]}, script: [echo]}
"unit test": {script: [echo]}
"deploy:stage one": {script: [echo]}
"cost $5 'x'": {script: [echo]}
plain: {script: [echo]}
"""

STARTS = {
    "bash": ("bash", "--norc", "--noprofile"),
    "zsh": ("zsh", "-f"),
    "fish": ("fish", "-N"),
}
SETUP = {
    "bash": "PS1='> '; eval \"$(tracekeeper completion bash)\"",
    "zsh": "PS1='> '; autoload -U compinit; compinit -D; eval \"$(tracekeeper completion zsh)\"",
    "fish": "function fish_prompt; echo '> '; end; tracekeeper completion fish | source",
}
TYPED = [
    ("tracekeeper comp", "tracekeeper completion"),
    ("tracekeeper run --execut", "tracekeeper run --executor"),
    ("tracekeeper run --executor doc", "tracekeeper run --executor docker"),
    ("tracekeeper run pl", "tracekeeper run plain"),
    ("tracekeeper run unit", r"tracekeeper run unit\ test"),
    ("tracekeeper run 'unit", "tracekeeper run 'unit test'"),
    ("tracekeeper show deploy:s", r"tracekeeper show deploy:stage\ one"),
    ("tracekeeper logs pl", "tracekeeper logs plain"),
]
OWN = {
    "bash": [
        ("tracekeeper run bui", r"tracekeeper run build:\ \[linux,\ gcc\]"),
        (r"tracekeeper run build:\ \[l", r"tracekeeper run build:\ \[linux,\ gcc\]"),
        ("tracekeeper run cos", r"tracekeeper run cost\ \$5\ \'x\'"),
    ],
    "zsh": [
        ("tracekeeper run bui", r"tracekeeper run build:\ \[linux,\ gcc\]"),
        (r"tracekeeper run build:\ \[l", r"tracekeeper run build:\ \[linux,\ gcc\]"),
        ("tracekeeper run cos", r"tracekeeper run cost\ \$5\ \'x\'"),
    ],
    "fish": [
        ("tracekeeper run bui", r"tracekeeper run build:\ \[linux,\ gcc\]"),
        ("tracekeeper run cos", r"tracekeeper run cost\ \$5\ \'x\'"),
    ],
}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_names_are_completed_and_quoted(project: Any, terminal: Any, shell: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    project.write(JOBS)
    project.tracekeeper("run", "plain")
    window = terminal(*STARTS[shell], columns=120)
    window.until(bool)
    window.type(SETUP[shell])
    window.press("Enter")
    window.until(lambda screen: screen.splitlines()[-1].strip() == ">")
    for typed, wanted in [*TYPED, *OWN[shell]]:
        window.press("C-u", "C-l")
        window.until(lambda screen: screen.strip() == ">")
        window.type(typed)
        window.until_shown(typed)
        window.press("Tab")
        window.until(lambda screen, wanted=wanted: screen.splitlines()[0][2:].rstrip() == wanted)
