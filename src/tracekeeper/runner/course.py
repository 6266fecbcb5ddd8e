"""How a job stands and how far it has come, also for a process that takes it up. Pure."""

from typing import Literal, TypeAlias

import msgspec

Status: TypeAlias = Literal["success", "failed", "canceled"]


class Outcome(msgspec.Struct, frozen=True):
    """How the job stands before its trace is closed."""

    status: Status = "success"
    exit_code: int | None = None
    reason: str = ""
    message: str = ""


class Course(msgspec.Struct, frozen=True):
    """How far a job has come, for a process that takes it up: the journal has it.

    `step` is the step that was begun last, or about to be. `ended` is what has come to its end
    last, and `outcome` how the job stood then, masked; `doubt` is why output may be missing,
    `altered` where it was another one when it was read again. `began` and `step_began` are in
    seconds since the epoch.
    """

    began: float = 0.0
    step: str = ""
    step_began: float = 0.0
    ended: Literal["", "script", "after_script", "job"] = ""
    outcome: Outcome = Outcome()
    doubt: str = ""
    altered: str = ""
