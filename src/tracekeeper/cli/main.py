"""The command group, and how errors reach a person.

Exit status: 0 it worked (a run: passed), 1 it did not (a run: failed), 2 an invalid file or
usage, 130 interrupted.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

import click

import tracekeeper
from tracekeeper.errors import InvalidPipeline, TracekeeperError, UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

COMMANDS = {
    "run": "Run the pipeline, or some of its jobs, here and now.",
    "list": "List the jobs that the rules leave.",
    "show": "Show a job fully expanded, as YAML.",
    "lint": "Check pipeline files: every error at once.",
    "logs": "Show the log of a job, also while it runs.",
    "debug": "Open a shell in a job's container.",
    "engine": "Check the way to a Docker Engine.",
    "incident": "Calculate which logs a forgetful firewall loses, and why.",
    "completion": "Print the completion script of a shell.",
}
HIDDEN = "_complete"
"""What the completion scripts call."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used: `run` must start fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, from the module of the same name."""
        if cmd_name not in (*COMMANDS, HIDDEN):
            return None
        module = import_module(f"tracekeeper.cli.{cmd_name.removeprefix('_')}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that `args` begin with. Raises UsageError with the nearest name."""
        if args and args[0] not in (*COMMANDS, HIDDEN) and not args[0].startswith("-"):
            from tracekeeper.pipeline.nearest import did_you_mean

            hint = did_you_mean(args[0], COMMANDS) or "`tracekeeper --help` names the commands"
            raise UsageError(f"there is no command '{args[0]}'", hint=hint)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list["CompletionItem"]:
        """The commands and options that begin with `incomplete`, without importing them."""
        from click.shell_completion import CompletionItem

        commands = [
            CompletionItem(name, help=text)
            for name, text in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return commands + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands with their short help, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(tracekeeper.__version__, "--version", message="tracekeeper %(version)s")
def cli() -> None:
    """Run CI jobs from a .gitlab-ci.yml and keep every byte of their logs.

    Colours are written to a terminal; NO_COLOR=1 turns them off, FORCE_COLOR=1 on.
    """


def run_command_line(arguments: Sequence[str]) -> int:
    """Run one command; every error becomes a sentence on stderr and an exit status."""
    _mend_streams()
    try:
        status = cli.main(
            list(arguments) or ["--help"], prog_name="tracekeeper", standalone_mode=False
        )
        sys.stdout.flush()
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except Exception as error:
        return _report(error)
    return status if isinstance(status, int) else 0


def _report(error: Exception) -> int:
    """Tell a person what went wrong; the exit status."""
    if isinstance(error, InvalidPipeline):
        _complain("\n".join(map(str, error.problems)) or error.message)
        return EXIT_USAGE
    if isinstance(error, TracekeeperError):
        hint = f"\n  {error.hint}" if error.hint else ""
        _complain(f"tracekeeper: {error.message}{hint}")
        return EXIT_USAGE if isinstance(error, UsageError) else EXIT_FAILED
    if isinstance(error, click.ClickException):
        _complain(_usage(error))
        return EXIT_USAGE
    if isinstance(error, OSError):
        return _refused(error)
    return _confess(error)


def _usage(error: click.ClickException) -> str:
    """What click says of wrong usage, in our words."""
    message = error.format_message().rstrip(".").replace("\n", "\n  ")
    context = getattr(error, "ctx", None)
    hint = f"\n  `{context.command_path} --help` says what is possible" if context else ""
    return f"tracekeeper: {message[:1].lower()}{message[1:]}{hint}"


def _refused(error: OSError) -> int:
    """The system refused something; most often stdout takes no more."""
    if error.filename is not None:
        _complain(f"tracekeeper: {error.filename}: {error.strerror}")
        return EXIT_FAILED
    drop_stdout()
    if not isinstance(error, BrokenPipeError):  # else whoever read us is gone
        _complain(f"tracekeeper: the output cannot be written: {error.strerror or error}")
    return EXIT_FAILED


def _confess(error: Exception) -> int:
    """A defect of ours: say so in a sentence, and keep the details where they can be found."""
    import tempfile
    import traceback

    what = f"tracekeeper: a defect of tracekeeper stopped it ({type(error).__name__}: {error})"
    details = "".join(traceback.format_exception(error))
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="tracekeeper-defect-", suffix=".txt", delete=False
        ) as file:
            file.write(f"tracekeeper {tracekeeper.__version__}, Python {sys.version}\n{details}")
    except OSError:
        _complain(what)
        return EXIT_FAILED
    _complain(f"{what}\n  please report it with the details in {file.name}")
    return EXIT_FAILED


def _complain(text: str) -> None:
    try:
        click.echo(text, err=True)
    except OSError:
        return  # stderr takes no more: the exit status says it


def _mend_streams() -> None:
    """Make stdout and stderr usable: closed ones, and characters that the locale lacks.

    Where a descriptor is closed, the next file that is opened would get its number, and our output.
    A closed stdout refuses what is written, like a full disk; a closed stderr swallows it.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDONLY if descriptor == 1 else os.O_RDWR)
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def drop_stdout() -> None:
    """Let what still waits in stdout vanish, so that the interpreter can end in peace."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
