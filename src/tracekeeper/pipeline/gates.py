"""What comes before a job, counted: whether that is over, and how it ended.

A gate counts the jobs before one job or one stage. Counting makes each end of a job cheap,
however many wait for it.
"""

from typing import Final, Literal, TypeAlias

from tracekeeper.pipeline.config import When
from tracekeeper.pipeline.status import Status

Kind: TypeAlias = Literal["open", "passed", "failed", "canceled", "idle"]
Verdict: TypeAlias = Literal["success", "failed", "canceled", "skipped"]

_KINDS: Final[dict[Status, Kind]] = {
    "success": "passed",
    "failed": "failed",
    "canceled": "canceled",
    "skipped": "idle",
}
_KINDS_IF_ALLOWED: Final[dict[Status, Kind]] = _KINDS | {
    "failed": "passed",
    "canceled": "passed",
    "manual": "idle",
}

_BY_STAGE: Final[dict[When, frozenset[Verdict]]] = {
    "on_success": frozenset({"success", "skipped"}),
    "manual": frozenset({"success", "skipped"}),
    "delayed": frozenset({"success", "skipped"}),
    "on_failure": frozenset({"failed"}),
    "always": frozenset({"success", "failed", "skipped"}),
    "never": frozenset(),
}
_BY_NEEDS: Final[dict[When, frozenset[Verdict]]] = {
    when: verdicts if when == "always" else verdicts - {"skipped"}
    for when, verdicts in _BY_STAGE.items()
}


def kind_of(status: Status, allow_failure: bool) -> Kind:
    """How a job counts for those after it. A job that may fail and waits for a person does not
    hold them up; one that may not fail does."""
    return (_KINDS_IF_ALLOWED if allow_failure else _KINDS).get(status, "open")


def accepts(when: When, verdict: Verdict, *, by_needs: bool) -> bool:
    """Whether a job with `when` runs after `verdict`; otherwise it is skipped."""
    return verdict in (_BY_NEEDS if by_needs else _BY_STAGE)[when]


class Gate:
    """The jobs before a job or a stage, by kind."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[Kind, int] = dict.fromkeys(
            ("open", "passed", "failed", "canceled", "idle"), 0
        )

    def add(self, kind: Kind, number: int = 1) -> None:
        """Count `number` more jobs of `kind`."""
        self._counts[kind] += number

    def include(self, other: "Gate") -> None:
        """Count all that `other` counts as well."""
        for kind, number in other._counts.items():
            self._counts[kind] += number

    def move(self, before: Kind, after: Kind) -> None:
        """One of the jobs has changed."""
        self._counts[before] -= 1
        self._counts[after] += 1

    @property
    def is_open(self) -> bool:
        """Whether a job of it has not ended."""
        return self._counts["open"] > 0

    def of_stages(self) -> Verdict | None:
        """How the stages before a job ended; None while they have not."""
        counts = self._counts
        if counts["open"]:
            return None
        if counts["failed"]:
            return "failed"
        if counts["canceled"]:
            return "canceled"
        return "skipped" if counts["idle"] and not counts["passed"] else "success"

    def of_needs(self, when: When) -> Verdict | None:
        """How the needs of a job ended; None while they have not.

        One need that does not run decides at once, except for a job that runs ``always``.
        """
        if self._counts["idle"] and (when != "always" or not self.is_open):
            return "skipped"
        return self.of_stages()
