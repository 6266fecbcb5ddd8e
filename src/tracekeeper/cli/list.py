"""``tracekeeper list``: the jobs that the rules leave."""

from pathlib import Path
from typing import Any

import click

from tracekeeper.cli.options import local_project, project_options
from tracekeeper.pipeline.pipeline import Job, Pipeline

HEAD = ("job", "stage", "when", "may fail", "needs")


@click.command(name="list")
@project_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
def command(
    directory: Path,
    file: str,
    variables: tuple[str, ...],
    variables_file: Path | None,
    as_json: bool,
) -> None:
    """List the jobs that the rules leave: name, stage, when, allow_failure, needs.

    In the JSON, `needs` is null for a job that waits for all earlier stages.

    \b
    Exit status:
      0  listed; no job is left where GitLab would make no pipeline
      2  invalid file or usage
    """
    pipeline = local_project(directory, file, variables, variables_file).pipeline
    if as_json:
        import json

        click.echo(json.dumps([_described(job) for job in pipeline.jobs.values()], indent=2))
    elif pipeline.jobs:
        _print_table(pipeline)
    else:
        click.echo(f"No pipeline: {pipeline.reason}", err=True)
    if count := len(pipeline.warnings):
        what = "1 warning" if count == 1 else f"{count} warnings"
        click.echo(f"{what}: see `tracekeeper lint`", err=True)


def _described(job: Job) -> dict[str, Any]:
    allowed: bool | dict[str, list[int]] = job.allow_failure.allowed
    if job.allow_failure.exit_codes:
        allowed = {"exit_codes": list(job.allow_failure.exit_codes)}
    return {
        "name": job.name,
        "stage": job.stage,
        "when": job.when,
        "allow_failure": allowed,
        "needs": None if job.needs is None else [need.job for need in job.needs],
    }


def _print_table(pipeline: Pipeline) -> None:
    from tracekeeper.cli.table import table
    from tracekeeper.cli.terminal import stdout_palette

    rows = [_row(job) for job in pipeline.jobs.values()]
    click.echo(table(HEAD, rows, stdout_palette()))


def _row(job: Job) -> list[str]:
    from tracekeeper.cli.cells import plain

    cells = (job.name, job.stage, job.when, _may_fail(job), _needs(job))
    return [plain(cell) for cell in cells]


def _may_fail(job: Job) -> str:
    if codes := job.allow_failure.exit_codes:
        return f"with {', '.join(map(str, codes))}"
    return "yes" if job.allow_failure.allowed else "no"


def _needs(job: Job) -> str:
    if job.needs is None:
        return "earlier stages"
    return ", ".join(need.job for need in job.needs) or "nothing"
