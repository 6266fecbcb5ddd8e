"""What a check found out: one sentence each, and what to do about it. Pure."""

from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias, get_args

import msgspec

Level: TypeAlias = Literal["ok", "note", "warning", "error"]
"""error: jobs will break. warning: they may, or something is weaker than it seems."""


class Finding(msgspec.Struct, frozen=True):
    """`code` is stable, the wording is not. `hint` says what to do; empty where nothing is."""

    code: str
    level: Level
    sentence: str
    hint: str = ""


def ok(code: str, sentence: str) -> Finding:
    """Something is as it should be."""
    return Finding(code, "ok", sentence)


def note(code: str, sentence: str, hint: str = "") -> Finding:
    """Something is worth knowing."""
    return Finding(code, "note", sentence, hint)


def warning(code: str, sentence: str, hint: str) -> Finding:
    """Something may break jobs, or is weaker than it seems."""
    return Finding(code, "warning", sentence, hint)


def error(code: str, sentence: str, hint: str) -> Finding:
    """Something will break jobs."""
    return Finding(code, "error", sentence, hint)


def silent(what: str, seconds: float) -> Finding:
    """Somebody takes connections and does not answer them."""
    return error(
        "silent",
        f"{what} takes connections and says nothing: no answer within {seconds:.0f} s",
        "look at what listens there: an engine that hangs, or a proxy or balancer without one",
    )


def worst_first(findings: Iterable[Finding]) -> Sequence[Finding]:
    """Errors before warnings before the rest; otherwise in the order in which they were found."""
    levels = get_args(Level)
    return sorted(findings, key=lambda finding: -levels.index(finding.level))
