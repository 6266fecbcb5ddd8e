"""What the processes of a job find in their environment. Pure: it makes no file and reads none."""

from collections.abc import Mapping

import msgspec

from tracekeeper.pipeline.variables import expand, resolve
from tracekeeper.protocol.payload import JobPayload, JobVariable


class Environment(msgspec.Struct, frozen=True):
    """A job's variables, final: every reference is expanded.

    `values` is what processes see; of a file variable that is the path of its file. `files` maps
    each of these paths to the file's content. `masked` are the values that no trace may show.
    """

    values: Mapping[str, str]
    files: Mapping[str, str] = {}
    masked: tuple[str, ...] = ()

    def expand(self, text: str) -> str:
        """`text` with references to these variables expanded, as in an image or artifact name."""
        return expand(text, self.values)


def environment(
    payload: JobPayload, project_dir: str, *, status: str = "running", shared: bool = False
) -> Environment:
    """The environment of one step of a job that runs in `project_dir`, an absolute path.

    `status` becomes CI_JOB_STATUS: ``running`` in the script, and how the script ended
    (``success``, ``failed``, ``canceled``) in after_script. `shared` says that the job runs on a
    machine that outlives it (the shell executor).

    Raises UsageError where expansion makes a value too long.
    """
    temporary = temporary_dir(project_dir)
    weakest = _runner_variables(payload, project_dir, status)
    strongest = _machine_variables(temporary, shared)
    variables = (*weakest, *payload.variables, *strongest)
    values = resolve(variables, files=temporary)
    last = {variable.key: variable for variable in variables}
    paths = {key: f"{temporary}/{key}" for key, variable in last.items() if variable.file}
    return Environment(
        values=values | paths,
        files={path: values[key] for key, path in paths.items()},
        masked=tuple(values[key] for key, variable in last.items() if variable.masked),
    )


def temporary_dir(project_dir: str) -> str:
    """The directory beside the project where file variables lie."""
    return f"{project_dir}.tmp"


def _runner_variables(
    payload: JobPayload, project_dir: str, status: str
) -> tuple[JobVariable, ...]:
    """What a runner sets unless the job sets it (gitlab-runner, default variables)."""
    return (
        _plain("CI_BUILDS_DIR", project_dir.rpartition("/")[0] or "/"),
        _plain("CI_PROJECT_DIR", project_dir),
        _plain("CI_CONCURRENT_ID", "0"),
        _plain("CI_CONCURRENT_PROJECT_ID", "0"),
        _plain("CI_SERVER", "yes"),
        _plain("CI_JOB_STATUS", status),
        _plain("CI_JOB_TIMEOUT", str(payload.runner_info.timeout)),
    )


def _machine_variables(temporary: str, shared: bool) -> tuple[JobVariable, ...]:
    """What a runner sets whatever the job sets."""
    kind = "CI_SHARED_ENVIRONMENT" if shared else "CI_DISPOSABLE_ENVIRONMENT"
    return (_plain(kind, "true"), _plain("RUNNER_TEMP_PROJECT_DIR", temporary))


def _plain(key: str, value: str) -> JobVariable:
    return JobVariable(key, value, raw=True)
