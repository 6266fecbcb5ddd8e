"""The command group, and how errors reach a person.

Exit status: 0 it worked (a run: passed), 1 it did not (a run: failed), 2 an invalid file or
usage, 130 interrupted.
"""

import sys
from collections.abc import Sequence
from importlib import import_module

import click

import tracekeeper
from tracekeeper.errors import InvalidPipeline, TracekeeperError, UsageError

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

COMMANDS = {
    "run": "Run the pipeline, or some of its jobs, here and now.",
    "list": "List the jobs that the rules leave.",
    "show": "Show one job fully expanded, as YAML.",
    "lint": "Check pipeline files: every error at once.",
    "logs": "Show the log of a job, also while it runs.",
    "completion": "Print the completion script of a shell.",
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used: `run` must start fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, from the module of the same name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"tracekeeper.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands with their short help, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(tracekeeper.__version__, "--version", prog_name="tracekeeper")
def cli() -> None:
    """Run CI jobs from a .gitlab-ci.yml and keep every byte of their logs."""


def run_command_line(arguments: Sequence[str]) -> int:
    """Run one command; every error becomes a sentence on stderr and an exit status."""
    try:
        status = cli.main(list(arguments), prog_name="tracekeeper", standalone_mode=False)
    except InvalidPipeline as error:
        for problem in error.problems:
            _complain(str(problem))
        return EXIT_USAGE
    except TracekeeperError as error:
        _complain(f"tracekeeper: {error.message}" + (f"\n  {error.hint}" if error.hint else ""))
        return EXIT_USAGE if isinstance(error, UsageError) else EXIT_FAILED
    except click.ClickException as error:
        error.show()
        return EXIT_USAGE
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _silence_stdout()
        return EXIT_FAILED
    except Exception as error:
        return _confess(error)
    return status if isinstance(status, int) else 0


def _confess(error: Exception) -> int:
    """A defect of ours: say so in a sentence, and keep the details where they can be found."""
    import tempfile
    import traceback

    if isinstance(error, OSError):
        _complain(f"tracekeeper: {error.filename or 'the system'}: {error.strerror or error}")
        return EXIT_FAILED
    with tempfile.NamedTemporaryFile(
        "w", prefix="tracekeeper-defect-", suffix=".txt", delete=False
    ) as file:
        file.write("".join(traceback.format_exception(error)))
    _complain(
        f"tracekeeper: a defect of tracekeeper stopped it ({type(error).__name__}: {error})\n"
        f"  please report it with {file.name}"
    )
    return EXIT_FAILED


def _complain(text: str) -> None:
    click.echo(text, err=True)


def _silence_stdout() -> None:
    """Whoever read us is gone: keep the interpreter from saying so at exit."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
