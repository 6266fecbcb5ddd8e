#!/usr/bin/env python3
"""The house's measures: short modules, short functions. Prints them; fails if one is broken."""

import ast
import math
import statistics
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "src"
MODULE_MEDIAN, MODULE_CAP = 200, 420
FUNCTION_MEDIAN, FUNCTION_P90, FUNCTION_CAP = 8, 35, 60


def main() -> int:
    files = sorted(SOURCE.rglob("*.py"))
    modules = {str(file.relative_to(SOURCE)): line_count(file) for file in files}
    functions = {name: size for file in files for name, size in function_sizes(file)}
    print(summary("modules", modules), summary("functions", functions), sep="\n")
    broken = [
        *over("module", modules, MODULE_CAP),
        *over("function", functions, FUNCTION_CAP),
        *limit("the modules' median", statistics.median(modules.values()), MODULE_MEDIAN),
        *limit("the functions' median", statistics.median(functions.values()), FUNCTION_MEDIAN),
        *limit("the functions' 90th percentile", percentile(functions, 90), FUNCTION_P90),
    ]
    print(*broken, sep="\n", end="\n" if broken else "")
    return 1 if broken else 0


def line_count(file: Path) -> int:
    return len(file.read_text().splitlines())


def function_sizes(file: Path) -> list[tuple[str, int]]:
    """Each function of `file` with its length in lines, its docstring not counted."""
    return [
        (f"{file.relative_to(SOURCE)}:{node.lineno} {node.name}", size(node))
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def size(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    docstring = node.body[0] if ast.get_docstring(node) else None
    counted = (docstring.end_lineno or 0) - docstring.lineno + 1 if docstring else 0
    return (node.end_lineno or 0) - node.lineno + 1 - counted


def percentile(sizes: dict[str, int], percent: int) -> int:
    return sorted(sizes.values())[math.ceil(len(sizes) * percent / 100) - 1]


def summary(what: str, sizes: dict[str, int]) -> str:
    return (
        f"{len(sizes)} {what}: median {statistics.median(sizes.values()):g} lines, "
        f"90 % within {percentile(sizes, 90)}, longest {max(sizes.values())}"
    )


def over(what: str, sizes: dict[str, int], cap: int) -> list[str]:
    return [
        f"{what} too long: {name} ({n} lines, {cap} allowed)"
        for name, n in sizes.items()
        if n > cap
    ]


def limit(what: str, value: float, allowed: int) -> list[str]:
    return [f"{what} is {value:g} lines, {allowed} allowed"] if value > allowed else []


if __name__ == "__main__":
    sys.exit(main())
