#!/usr/bin/env python3
"""Each pure module is covered to the last branch by its own test file.

    scripts/coverage_gate.py [MODULE...]      e.g. pipeline/variables; default: all

`src/tracekeeper/<package>/<module>.py` is measured while `tests/unit/<package>/test_<module>.py`
runs, and nothing else, so that no module lives on the side effects of other modules' tests.
A module without functions needs no test of its own.
"""

import ast
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "tracekeeper"
PURE = (
    "errors",
    "problems",
    "events",
    "pipeline",
    "protocol",
    "jobs",
    "trace",
    *(
        "engine/" + name
        for name in ("chunked", "follow", "frames", "marker", "position", "reading")
    ),
    *("engine/" + name for name in ("references", "x509")),
    "net/incident",
    "runner/docker",
    "runner/executors/service_lines",
)


def main() -> int:
    modules = [SOURCE / f"{name}.py" for name in sys.argv[1:]] or pure_modules()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        verdicts = list(pool.map(verdict, modules))
    failed = [text for text in verdicts if text]
    print("\n".join(failed))
    print(f"coverage: {len(modules) - len(failed)} of {len(modules)} pure modules at 100 %")
    return 1 if failed else 0


def pure_modules() -> list[Path]:
    """Every pure module with at least one function in it."""
    files = [file for name in PURE for file in SOURCE.glob(f"{name}.py")]
    files += [file for name in PURE for file in sorted((SOURCE / name).rglob("*.py"))]
    return [file for file in files if has_function(file)]


def has_function(file: Path) -> bool:
    """Whether `file` has a function with a body: a protocol's methods have none."""
    nodes = ast.walk(ast.parse(file.read_text()))
    return any(isinstance(node, ast.FunctionDef) and not is_hollow(node) for node in nodes)


def is_hollow(function: ast.FunctionDef) -> bool:
    return all(
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        for statement in function.body
    )


def verdict(module: Path) -> str:
    """What is wrong with the coverage of `module` ("" if nothing)."""
    name = module.relative_to(SOURCE)
    test = ROOT / "tests" / "unit" / name.with_name(f"test_{name.name}")
    if not test.exists():
        return f"{name}: no {test.relative_to(ROOT)}"
    with tempfile.TemporaryDirectory(prefix="tk-coverage-") as scratch:
        environment = os.environ | {"COVERAGE_FILE": f"{scratch}/data"}
        arguments = ["run", "-m", "pytest", "-q", "--hypothesis-seed=0", str(test)]
        tests = coverage(arguments, environment)
        if tests.returncode:
            return f"{name}: its tests fail\n{tests.stdout}{tests.stderr}"
        report = coverage(["report", f"--include={module}", "--fail-under=100"], environment)
    return f"{name}: not covered by its own tests\n{report.stdout}" if report.returncode else ""


def coverage(arguments: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "coverage", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


if __name__ == "__main__":
    sys.exit(main())
