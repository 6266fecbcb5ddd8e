"""Options that several commands share, and the project they name."""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tracekeeper.errors import UsageError
from tracekeeper.pipeline.config import Variable

if TYPE_CHECKING:
    from tracekeeper.local.project import LocalProject

Command = TypeVar("Command", bound=Callable[..., Any])

DEFAULT_FILE = ".gitlab-ci.yml"


def directory_option(command: Command) -> Command:
    """``-C``."""
    return click.option(
        "-C",
        "--directory",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path(),
        help="Project directory (default: the current one).",
    )(command)


def project_options(command: Command) -> Command:
    """``-C``, ``-f``, ``-V`` and ``--variables-file``."""
    options = (
        directory_option,
        click.option(
            "-f",
            "--file",
            metavar="FILE",
            default=DEFAULT_FILE,
            show_default=True,
            help="Pipeline file, relative to the project.",
        ),
        click.option(
            "-V",
            "--variable",
            "variables",
            multiple=True,
            metavar="KEY=VALUE",
            help="Set a variable; wins over the file's. Repeatable.",
        ),
        click.option(
            "--variables-file",
            type=click.Path(path_type=Path, dir_okay=False),
            help="YAML file of variables: KEY: value, or KEY: {value, masked, file, raw}.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def data_option(command: Command) -> Command:
    """``--data``."""
    return click.option(
        "--data",
        type=click.Path(path_type=Path, file_okay=False),
        help="Where runs are kept (default: .tracekeeper in the project).",
    )(command)


def data_path(directory: Path, data: Path | None) -> Path:
    """The data directory: what was asked for, or `.tracekeeper` in the project."""
    return data or directory / ".tracekeeper"


def local_project(
    directory: Path,
    file: str,
    variables: Sequence[str],
    variables_file: Path | None,
    *,
    created_at: int = 0,
    number: int = 1,
) -> "LocalProject":
    """The project that the shared options name. Raises UsageError."""
    from tracekeeper.local.project import LocalProject

    return LocalProject(
        directory.resolve(),
        file=file,
        overrides=overrides(variables, variables_file),
        created_at=created_at,
        number=number,
    )


def overrides(pairs: Sequence[str], file: Path | None) -> Mapping[str, Variable]:
    """The variables of ``--variables-file`` and, stronger, of ``-V``."""
    found: dict[str, Variable] = {}
    if file is not None:
        from tracekeeper.local.variables_file import read_variables_file

        found.update(read_variables_file(file))
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"-V {pair} is not KEY=VALUE", hint="for example: -V SECONDS=3")
        found[key] = Variable(key, value)
    return found


def docker_context_option(command: Command) -> Command:
    """``--docker-context``."""
    return click.option(
        "--docker-context",
        metavar="NAME",
        shell_complete=complete_context,
        help="The engine of a docker context.",
    )(command)


def docker_config_option(command: Command) -> Command:
    """``--docker-config``."""
    return click.option(
        "--docker-config",
        metavar="FILE[:NAME]",
        help="Docker jobs as [runners.docker] in a gitlab-runner config.toml says.",
    )(command)


def seconds(text: str | float) -> float:
    """A number of seconds, 0 or more. Raises BadParameter with what would be right."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise click.BadParameter(f"{text} is not a number of seconds: write one such as 700")
    return number


def complete_context(
    _ctx: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[str]:
    """Names of docker contexts for shell completion; none where they cannot be read."""
    from tracekeeper.engine.contexts import context_names, docker_directory
    from tracekeeper.errors import TracekeeperError

    try:
        names = context_names(docker_directory(os.environ))
    except TracekeeperError:
        return []
    return [name for name in names if name.startswith(incomplete)]


def complete_job(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Job names for shell completion; none where the pipeline cannot be read."""
    from tracekeeper.errors import TracekeeperError

    directory = ctx.params.get("directory") or Path()
    file = ctx.params.get("file") or DEFAULT_FILE
    try:
        names = local_project(directory, file, (), None).pipeline.jobs
    except TracekeeperError:
        return []
    return [name for name in names if name.startswith(incomplete)]


def complete_kept_job(
    ctx: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[str]:
    """Names of jobs with a kept log, for shell completion."""
    from tracekeeper.errors import TracekeeperError
    from tracekeeper.local.data import DataDirectory
    from tracekeeper.local.logs import kept_logs

    data = data_path(ctx.params.get("directory") or Path(), ctx.params.get("data"))
    try:
        logs = kept_logs(DataDirectory.find(data), run=ctx.params.get("number") or 0)
    except TracekeeperError:
        return []
    return [log.name for log in logs if log.name.startswith(incomplete)]
