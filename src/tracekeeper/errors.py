"""What can go wrong, as one small tree.

    TracekeeperError
    ├── UsageError          the user asked for something that cannot be       (exit 2)
    ├── InvalidPipeline     the pipeline file is wrong; carries every problem (exit 2)
    ├── WorkspaceError      a checkout, path or archive cannot be used
    ├── StorageError        a run or trace cannot be kept on disk
    ├── EngineError         the Docker Engine refused, or cannot be reached
    └── JobError            a job cannot go on; carries GitLab's failure reason

An error is a sentence that says what happened, to what, and what to do. `code` is stable:
scripts and documents may rely on it, the wording may change.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from tracekeeper.problems import Problem


class TracekeeperError(Exception):
    """Base of all errors meant for a person: a sentence, a stable code and a hint."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(TracekeeperError):
    """What was asked for cannot be: an unknown job, a bad option value, a missing file."""

    code = "usage"


class InvalidPipeline(TracekeeperError):
    """The pipeline file cannot be used. `problems` holds every error found, in file order."""

    code = "invalid_pipeline"

    def __init__(self, problems: Sequence["Problem"]) -> None:
        first = problems[0] if problems else None
        super().__init__(str(first) if first else "the pipeline file is not valid")
        self.problems = tuple(problems)


class WorkspaceError(TracekeeperError):
    """A checkout, a path or an archive cannot be used."""

    code = "workspace"


class StorageError(TracekeeperError):
    """A run or a trace cannot be kept: the disk is full, a file cannot be written or read."""

    code = "storage"


class EngineError(TracekeeperError):
    """The Docker Engine refused a request or could not be reached."""

    code = "engine"


class JobError(TracekeeperError):
    """A job cannot go on. `reason` is a failure reason of GitLab's Runner API."""

    code = "job"

    def __init__(self, message: str, *, reason: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason
