"""``tracekeeper list``: the jobs that the rules leave."""

import sys
from pathlib import Path
from typing import Any

import click

from tracekeeper.cli.options import local_project, project_options
from tracekeeper.pipeline.pipeline import Job, Pipeline


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
    """List the jobs that the rules leave: name, stage, when, allow_failure, needs."""
    pipeline = local_project(directory, file, variables, variables_file).pipeline
    if as_json:
        import json

        click.echo(json.dumps([_row(job) for job in pipeline.jobs.values()], indent=2))
        return
    _print_table(pipeline)


def _row(job: Job) -> dict[str, Any]:
    """What `--json` says of a job; `needs` null means that it follows the stages."""
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
    from tracekeeper.cli.terminal import Palette, wants_colour

    if not pipeline.jobs:
        click.echo(f"No pipeline: {pipeline.reason}.", err=True)
        return
    rows = []
    for row in map(_row, pipeline.jobs.values()):
        allowed = row["allow_failure"]
        exit_codes = allowed["exit_codes"] if isinstance(allowed, dict) else ()
        rows.append(
            (
                row["name"],
                row["stage"],
                row["when"],
                f"exit codes {', '.join(map(str, exit_codes))}"
                if exit_codes
                else ("yes" if allowed else "no"),
                "stages before" if row["needs"] is None else ", ".join(row["needs"]) or "nothing",
            )
        )
    palette = Palette(wants_colour(sys.stdout))
    click.echo(table(("job", "stage", "when", "may fail", "needs"), rows, palette))
