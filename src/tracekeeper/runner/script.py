"""A step's script as the text of one shell program, the same for every executor. Pure.

The text works in bash (3.2 or later), dash and busybox ash, run as a file. All entries of the
step run in one shell, so that directories, functions, options and traps carry on. Rules, colours
and wording are those that gitlab-runner shows.
"""

import re

from tracekeeper.errors import JobError
from tracekeeper.protocol.payload import JobPayload, Step
from tracekeeper.runner.environment import Environment, environment, temporary_dir
from tracekeeper.workspace.repository import REDIRECTING

_COMMAND = "\x1b[32;1m"
_WARNING = "\x1b[0;33m"
_RESET = "\x1b[0;m"

_PROLOGUE = """\
trap 'exit 143' TERM
(set -o pipefail) 2>/dev/null && set -o pipefail
set -e
exec </dev/null
"""
"""SIGTERM ends the script by `exit`, so that its own EXIT trap still runs: by the signal alone,
dash and busybox would not run it."""

_FORGET_REPOSITORY = f"unset {' '.join(REDIRECTING)}\n"
"""On a machine that is not the job's alone, who started the runner may be a git hook: no git of
the job may then use the repository that the hook is in."""

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def script_text(
    payload: JobPayload,
    step: Step,
    project_dir: str,
    *,
    status: str = "running",
    shared: bool = False,
) -> bytes:
    """The program that runs `step` in `project_dir`, an absolute path that exists.

    `status` and `shared` are those of `environment`. Its exit status is that of the command that
    failed. Characters that stand for undecodable bytes (``surrogateescape``) become those bytes
    again.

    Raises JobError where a variable or the script holds a NUL, which no shell can pass on.
    """
    variables = environment(payload, project_dir, status=status, shared=shared)
    _refuse_nul(step, variables)
    parts = [
        _PROLOGUE,
        _FORGET_REPOSITORY if shared else "",
        "set -x\n" if _is_true(variables.values.get("CI_DEBUG_TRACE", "")) else "",
        _write_files(variables, temporary_dir(project_dir)),
        *(_export(key, value) for key, value in variables.values.items()),
        f"cd {_quote(project_dir)}\n",
        *(_command(entry) for entry in step.script),
    ]
    return "".join(parts).encode("utf-8", "surrogateescape")


def _is_true(value: str) -> bool:
    """What gitlab-runner takes as true in a variable."""
    return value.lower() in ("true", "t", "1")


def _quote(text: str) -> str:
    """`text` as one word of a shell, whatever is in it."""
    return "'" + text.replace("'", "'\\''") + "'"


def _say(text: str) -> str:
    """Print a line. A script that has closed its output goes on without it."""
    return f"printf '%s\\n' {_quote(text)} || :\n"


def _write_files(variables: Environment, temporary: str) -> str:
    """Put file variables where only the job's user can read them."""
    if not variables.files:
        return ""
    writes = [
        f"printf '%s' {_quote(content)} > {_quote(path)}"
        for path, content in variables.files.items()
    ]
    return "\n".join(["(", "umask 077", f"mkdir -p {_quote(temporary)}", *writes, ")"]) + "\n"


def _export(key: str, value: str) -> str:
    if not _IDENTIFIER.fullmatch(key):
        warning = f"variable {key} is left out: no shell allows a variable of that name"
        return _say(f"{_WARNING}{warning}{_RESET}")
    return f"export {key}={_quote(value)}\n"


def _command(entry: str) -> str:
    """Show an entry and run it; of several lines the first is shown."""
    command = entry.strip()
    if not command:
        return _say("")
    first, newline, _ = command.partition("\n")
    more = " # collapsed multi-line command" if newline else ""
    return _say(f"{_COMMAND}$ {first}{more}{_RESET}") + command + "\n"


def _refuse_nul(step: Step, variables: Environment) -> None:
    holders = [f"variable {key}" for key, value in variables.values.items() if "\0" in value]
    holders += [f"file {path}" for path, content in variables.files.items() if "\0" in content]
    holders += [step.name for entry in step.script if "\0" in entry]
    if holders:
        raise JobError(
            f"{holders[0]} holds a NUL character, which no shell can pass on",
            reason="runner_configuration_error",
            hint="take it out, or put the data in a file of the project",
        )
