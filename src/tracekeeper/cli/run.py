"""``tracekeeper run``: the main job."""

import os
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click
from click.core import ParameterSource

from tracekeeper.cli.named_engine import NamedEngine, loaded_config, named_engine
from tracekeeper.cli.options import (
    complete_job,
    data_option,
    data_path,
    docker_config_option,
    docker_context_option,
    local_project,
    project_options,
)
from tracekeeper.errors import UsageError

if TYPE_CHECKING:
    from tracekeeper.cli.viewer import Renderer
    from tracekeeper.local.executors import Wanted
    from tracekeeper.local.keeping import KeepWhen
    from tracekeeper.runner.docker_config import Loaded

WITH_RESUME = ("resume", "directory", "data", "as_json", "timestamps")
"""Options that `--resume` can be given."""


@click.command(name="run")
@click.argument("jobs", nargs=-1, metavar="[JOB ...]", shell_complete=complete_job)
@project_options
@click.option(
    "-e",
    "--executor",
    type=click.Choice(("auto", "shell", "docker")),
    default="auto",
    show_default=True,
    help="What runs the scripts. auto: docker for a job with an image, if an engine answers or"
    " an option names one.",
)
@click.option(
    "--docker-host",
    metavar="URL",
    help="unix://, tcp://, http://, https:// or ssh://. Default: as the Docker CLI finds its"
    " engine.",
)
@docker_context_option
@docker_config_option
@click.option(
    "-j",
    "--jobs",
    "jobs_at_once",
    type=click.IntRange(1),
    metavar="N",
    help="Jobs at once (default: cores).",
)
@click.option("--needs", "with_needs", is_flag=True, help="Also run what the named JOBs need.")
@click.option(
    "--keep-containers",
    type=click.Choice(("never", "failed", "always")),
    default="never",
    show_default=True,
    help="Keep the containers of jobs that ended so, for `tracekeeper debug`.",
)
@click.option("--resume", is_flag=True, help="Go on with the newest run that was killed.")
@data_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per event.")
@click.option("--timestamps", is_flag=True, help="Show the stored time of each line.")
def command(
    jobs: tuple[str, ...],
    directory: Path,
    file: str,
    variables: tuple[str, ...],
    variables_file: Path | None,
    executor: str,
    docker_host: str | None,
    docker_context: str | None,
    docker_config: str | None,
    jobs_at_once: int | None,
    with_needs: bool,
    keep_containers: str,
    data: Path | None,
    as_json: bool,
    timestamps: bool,
    resume: bool,
) -> int:
    """Run the pipeline, or only the named JOBs, here and now.

    Naming a manual job plays it; the name of a parallel job means all its instances. Ctrl-C
    stops the scripts, after_script still runs; a second one stops everything at once.

    A run that was killed is gone on with by --resume, as it was begun; its containers have gone
    on meanwhile, and nothing of what they wrote is lost.

    \b
    Exit status:
      0    passed; failures that are allowed count as passed
      1    failed, or the output could not be written
      2    invalid file or usage
      130  interrupted
    """
    from tracekeeper.cli.viewer import Viewer
    from tracekeeper.local.data import next_number
    from tracekeeper.local.keeping import Keep
    from tracekeeper.local.session import RunOptions, run_pipeline

    if resume:
        return _resume(data_path(directory, data), _renderer(as_json, timestamps, directory, data))
    loaded = loaded_config(docker_config)
    engine = _engine(executor, docker_host or "", docker_context or "", loaded)
    kept = data_path(directory, data)
    project = local_project(
        directory,
        file,
        variables,
        variables_file,
        created_at=int(time.time()),
        number=next_number(kept),
    )
    options = RunOptions(
        data=kept,
        jobs=jobs,
        with_needs=with_needs,
        executor=cast("Wanted", executor),
        host=engine.host,
        engine_named_by=engine.named_by,
        docker=loaded.settings if loaded else None,
        warnings=engine.warnings,
        jobs_at_once=jobs_at_once or os.cpu_count() or 1,
        keep=Keep(cast("KeepWhen", keep_containers), _program("debug", directory, data)),
    )
    with Viewer(_renderer(as_json, timestamps, directory, data)) as viewer:
        return run_pipeline(project, options, viewer)


def _resume(data: Path, renderer: "Renderer") -> int:
    """``--resume``: everything but what is shown is as it was when the run began."""
    from tracekeeper.cli.viewer import Viewer
    from tracekeeper.local.data import DataDirectory
    from tracekeeper.local.resume import resume_run

    context = click.get_current_context()
    given = (
        parameter
        for parameter in context.command.params
        if parameter.name not in WITH_RESUME
        and context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
    )
    if refused := next(given, None):
        what = max(refused.opts, key=len) if isinstance(refused, click.Option) else "a JOB"
        raise UsageError(
            f"--resume goes on with a run as it was begun: {what} cannot be chosen now"
        )
    with Viewer(renderer) as viewer:
        return resume_run(DataDirectory.find(data), viewer)


def _renderer(as_json: bool, timestamps: bool, directory: Path, data: Path | None) -> "Renderer":
    if as_json:
        from tracekeeper.cli.json_renderer import JsonRenderer

        return JsonRenderer(timestamps=timestamps)
    from tracekeeper.cli.text_renderer import TextRenderer

    return TextRenderer(timestamps=timestamps, logs_command=_program("logs", directory, data))


def _engine(executor: str, url: str, context: str, loaded: "Loaded | None") -> NamedEngine:
    """The engine for this run, checked as far as it can be without reaching it; whatever the
    environment says is no matter where no engine is used.

    Raises UsageError for what names no engine, TlsFailure for bad certificates.
    """
    from tracekeeper.engine.hosts import LOCAL

    if executor == "shell":
        return NamedEngine(LOCAL, warnings=loaded.warnings if loaded else ())
    engine = named_engine(url, context, loaded)
    if engine.host != LOCAL:
        from tracekeeper.engine.transport import dialler

        dialler(engine.host)
    return engine


def _program(command: str, directory: Path, data: Path | None) -> str:
    """What a person has to type for `command` on this project's runs, but for the job."""
    words = ["tracekeeper", command]
    words += ["-C", str(directory)] if directory != Path() else []
    words += ["--data", str(data)] if data else []
    return shlex.join(words)
