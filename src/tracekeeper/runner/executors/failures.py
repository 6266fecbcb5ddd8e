"""Why a container did not do its job, as a sentence and one of GitLab's failure reasons. Pure.

`runner_configuration_error` is GitLab's reason for a job that is described in a way that cannot
run; servers that do not know it are told `script_failure`.
"""

import re
from collections.abc import Sequence

import msgspec

from tracekeeper.engine.models import ContainerState, Image
from tracekeeper.errors import JobError

_NO_COMMAND = re.compile(r'exec: "(?P<command>[^"]*)": (?P<why>.*?)(?:: unknown)?$', re.DOTALL)
_FORMAT = "exec format error"


class Subject(msgspec.Struct, frozen=True):
    """What was to run: an image by its name, its entrypoint, and the engine's own platform."""

    name: str
    image: Image
    entrypoint: Sequence[str]
    engine: str

    @property
    def platform(self) -> str:
        """The image's platform, such as ``linux/arm64``."""
        return f"{self.image.os}/{self.image.architecture}"

    @property
    def is_foreign(self) -> bool:
        """Whether the image is for another platform than the engine's."""
        return self.platform != self.engine


def not_started(reason: str, subject: Subject) -> JobError:
    """The engine refused to start the container, with its own `reason`."""
    if _FORMAT in reason:
        return _wrong_platform(subject)
    found = _NO_COMMAND.search(reason)
    if found is None:
        return JobError(
            f"the container of image {subject.name} cannot be started: {reason}",
            reason="runner_system_failure",
        )
    if subject.entrypoint:
        return _configuration(
            f"the entrypoint {found['command']!r} of image {subject.name} cannot be run: "
            f"{found['why']}",
            'override it with `entrypoint: [""]` in the job\'s image',
        )
    return _no_shell(subject)


def not_begun(state: ContainerState, subject: Subject) -> JobError:
    """The container ran, but the script in it never began."""
    if subject.is_foreign:
        return _wrong_platform(subject)
    if subject.entrypoint:
        return _configuration(
            f"the entrypoint {' '.join(subject.entrypoint)!r} of image {subject.name} did not run "
            f"the job's script; it ended with status {state.exit_code}",
            'it must end by running its arguments (`exec "$@"`); '
            'otherwise override it with `entrypoint: [""]` in the job\'s image',
        )
    return JobError(
        f"the container of image {subject.name} ended with status {state.exit_code} before the "
        f"job's script began",
        reason="runner_system_failure",
    )


def _wrong_platform(subject: Subject) -> JobError:
    return _configuration(
        f"image {subject.name} is for {subject.platform}, but this Docker Engine runs on "
        f"{subject.engine}",
        "use an image for that platform, or set the image's docker:platform",
    )


def _no_shell(subject: Subject) -> JobError:
    return _configuration(
        f"image {subject.name} has no shell: `sh` was not found in it",
        "a job's script needs one; use an image that has a shell",
    )


def _configuration(message: str, hint: str) -> JobError:
    return JobError(message, reason="runner_configuration_error", hint=hint)
