"""``tracekeeper show``: one job fully expanded."""

from pathlib import Path

import click

from tracekeeper.cli.options import complete_job, local_project, project_options


@click.command(name="show")
@click.argument("job", shell_complete=complete_job)
@project_options
def command(
    job: str,
    directory: Path,
    file: str,
    variables: tuple[str, ...],
    variables_file: Path | None,
) -> None:
    """Show JOB as the pipeline has it, fully expanded, as YAML that GitLab would accept.

    \b
    Exit status:
      0  shown
      2  there is no such job, or invalid file or usage
    """
    from tracekeeper.pipeline.show import to_yaml

    project = local_project(directory, file, variables, variables_file)
    for found in project.select([job]).jobs:
        click.echo(to_yaml(project.pipeline.jobs[found]), nl=False)
