"""``tracekeeper completion``: the script that makes a shell complete commands and job names."""

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command(name="completion")
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print the completion script of SHELL.

    \b
    bash: eval "$(tracekeeper completion bash)"     in ~/.bashrc
    zsh:  eval "$(tracekeeper completion zsh)"      in ~/.zshrc
    fish: tracekeeper completion fish | source      in ~/.config/fish/config.fish
    """
    from tracekeeper.cli.main import cli

    completion_class = get_completion_class(shell)
    assert completion_class is not None, "click knows these shells"
    completion = completion_class(cli, {}, "tracekeeper", "_TRACEKEEPER_COMPLETE")
    click.echo(completion.source())
