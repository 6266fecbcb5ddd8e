"""``tracekeeper lint``: every error in pipeline files at once."""

import os
from collections.abc import Iterator
from pathlib import Path

import click

from tracekeeper.cli.cells import plain
from tracekeeper.cli.options import local_project
from tracekeeper.cli.terminal import Palette, stdout_palette
from tracekeeper.errors import TracekeeperError
from tracekeeper.problems import Position, Problem


@click.command(name="lint")
@click.argument("files", nargs=-1, metavar="[FILE ...]", type=click.Path(path_type=Path))
def command(files: tuple[Path, ...]) -> int:
    """Check pipeline FILEs (default: .gitlab-ci.yml) and name every error at once.

    Paths in includes are relative to the top of the git checkout a FILE is in, or to its
    directory where there is no checkout.

    \b
    Exit status:
      0  every file is valid, perhaps with warnings
      2  one is not valid, or cannot be read; or wrong usage
    """
    palette = stdout_palette()
    files = files or (Path(".gitlab-ci.yml"),)
    errors = warnings = 0
    for file in files:
        for problem in _problems(file):
            click.echo(_line(problem, palette))
            warnings += problem.warning
            errors += not problem.warning
    click.echo(_summary(len(files), errors, warnings), err=True)
    return 2 if errors else 0


def _problems(file: Path) -> Iterator[Problem]:
    """What is wrong with `file`, each problem's file named as seen from here."""
    if not file.is_file():
        what = "it is a directory" if file.is_dir() else "there is no such file"
        yield Problem("usage", what, Position(str(file), 1, 1))
        return
    root = _root(file.resolve().parent)
    try:
        name = str(file.resolve().relative_to(root))
        for problem in local_project(root, name, (), None).problems():
            yield _seen_from_here(problem, root)
    except TracekeeperError as error:
        yield Problem(error.code, error.message, Position(str(file), 1, 1))


def _root(directory: Path) -> Path:
    from tracekeeper.workspace.repository import find_repository

    repository = find_repository(directory)
    return repository.toplevel if repository else directory


def _seen_from_here(problem: Problem, root: Path) -> Problem:
    from msgspec.structs import replace

    file = os.path.relpath(root / problem.at.file)
    return replace(problem, at=replace(problem.at, file=file))


def _line(problem: Problem, palette: Palette) -> str:
    kind = palette("warning", "yellow") if problem.warning else palette("error", "red")
    hint = f"\n    {palette(plain(problem.hint), 'dim')}" if problem.hint else ""
    return f"{palette(plain(str(problem.at)), 'bold')}: {kind}: {plain(problem.message)}{hint}"


def _summary(files: int, errors: int, warnings: int) -> str:
    if not errors and not warnings:
        return f"{_count(files, 'file')}: valid"
    return f"{_count(files, 'file')}: {_count(errors, 'error')}, {_count(warnings, 'warning')}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
