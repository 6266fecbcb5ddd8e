"""How the run of a container ended, and what that says about its output."""

import asyncio

from tracekeeper.engine.errors import EngineRefused
from tracekeeper.errors import JobError
from tracekeeper.runner.executors.container import Ended, StartRefused


def doubt_after(running: asyncio.Task[Ended]) -> str:
    """Why some output may be missing of a container that was started, however that went."""
    if not running.done() or running.cancelled():
        return "the script did not run to its end"
    error = running.exception()
    if error is None:
        return _doubt(running.result())
    return "" if isinstance(error, StartRefused) else str(error)


def removed_under_us(error: EngineRefused) -> Exception:
    """What it means that the engine refused something about a container that runs."""
    if error.status not in {404, 409}:  # none such, or marked for removal
        return error
    return JobError(
        "the job's container was removed while its script ran; its output is lost from there on",
        reason="runner_system_failure",
    )


def _doubt(ended: Ended) -> str:
    if ended.doubt and ended.state.oom_killed:
        return "the kernel killed the container's main process: its memory limit was reached"
    return ended.doubt
