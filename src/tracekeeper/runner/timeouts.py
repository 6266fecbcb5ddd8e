"""Time limits that a job sets for its own scripts, by variables.

Source: https://docs.gitlab.com/ci/runners/configure_runners/#set-script-and-after_script-timeouts.
Durations are written as in Go: ``40s``, ``1h20m``, ``4h30m30s``.
"""

import asyncio
import re
from collections.abc import Mapping

SCRIPT = "RUNNER_SCRIPT_TIMEOUT"
AFTER_SCRIPT = "RUNNER_AFTER_SCRIPT_TIMEOUT"

_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)")
_DURATION = re.compile(rf"\+?(?:{_PART.pattern})+")


def parse_go_duration(text: str) -> float | None:
    """Seconds of a positive duration as Go writes it; None where `text` is not one."""
    if not _DURATION.fullmatch(text):
        return None
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
    return seconds if seconds > 0 else None


def limit(variables: Mapping[str, str], name: str, default: float) -> tuple[float, str]:
    """Seconds that a script may take by the variable `name`; and a warning, empty if all is well.

    As gitlab-runner does, what cannot be read is passed over.
    """
    text = variables.get(name, "").strip()
    if not text:
        return default, ""
    seconds = parse_go_duration(text)
    if seconds is None:
        return default, f"{name} is passed over: {text!r} is not a duration such as 40s or 1h20m"
    return seconds, ""


def within(seconds: float, deadline: float | None) -> asyncio.Timeout:
    """A limit from now on, in a job that ends at `deadline` (the event loop's time); none where
    that comes first: a script that is stopped a second time has no time left to clean up."""
    when = asyncio.get_running_loop().time() + seconds
    return asyncio.timeout_at(when if deadline is None or when < deadline else None)
