"""``tracekeeper lint``: every error in pipeline files at once."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from tracekeeper.cli.options import local_project
from tracekeeper.cli.terminal import Palette, wants_colour
from tracekeeper.problems import Problem


@click.command(name="lint")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, dir_okay=False))
def command(files: tuple[Path, ...]) -> int:
    """Check pipeline FILES (default: .gitlab-ci.yml) and name every error at once.

    Paths in includes are relative to the directory of the checkout, or to the file's own outside
    of one. Exit status: 0 all are valid, 2 one is not.
    """
    palette = Palette(wants_colour(sys.stdout))
    found = [problem for file in files or (Path(".gitlab-ci.yml"),) for problem in _check(file)]
    for problem in found:
        click.echo(_line(problem, palette))
    errors = sum(not problem.warning for problem in found)
    click.echo(_summary(len(files) or 1, errors, len(found) - errors), err=True)
    return 2 if errors else 0


def _check(file: Path) -> Sequence[Problem]:
    from tracekeeper.workspace.repository import find_repository

    directory = file.resolve().parent
    repository = find_repository(directory)
    root = repository.toplevel if repository else directory
    return local_project(root, str(file.resolve().relative_to(root)), (), None).problems()


def _line(problem: Problem, palette: Palette) -> str:
    kind = palette("warning", "yellow") if problem.warning else palette("error", "red")
    hint = f"\n    {palette(problem.hint, 'dim')}" if problem.hint else ""
    return f"{palette(str(problem.at), 'bold')}: {kind}: {problem.message}{hint}"


def _summary(files: int, errors: int, warnings: int) -> str:
    what = "1 file" if files == 1 else f"{files} files"
    if not errors:
        return f"{what} valid, {_count(warnings, 'warning')}"
    return f"{what} checked: {_count(errors, 'error')}, {_count(warnings, 'warning')}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
