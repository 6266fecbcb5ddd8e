"""One job from its payload to its result: the stages, in GitLab's order, each told in the trace.

    prepare_executor → get_sources → restore_cache → download_artifacts → step_script
    → after_script → archive_cache → upload_artifacts → cleanup

A stage that fails ends the way to the script; what must happen anyway (after_script once the
script has begun, caches and artifacts by their ``when``, cleanup) still happens.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Literal, TypeAlias, TypeVar

import msgspec

from tracekeeper.errors import JobError, StorageError, TracekeeperError
from tracekeeper.protocol.payload import JobPayload, Step
from tracekeeper.runner.executors.base import Executor, StepResult
from tracekeeper.runner.files import JobFiles
from tracekeeper.runner.output import JobTrace
from tracekeeper.trace.ledger import Ledger

Status: TypeAlias = Literal["success", "failed", "canceled"]
T = TypeVar("T")

CANCELED = "job_canceled"
TIMED_OUT = "job_execution_timeout"


class JobResult(msgspec.Struct, frozen=True):
    """How a job ended. `failure_reason` is GitLab's and `message` says it in a sentence; both are
    empty on success. `exit_code` is the script's, None where it did not come to an end."""

    status: Status
    ledger: Ledger
    exit_code: int | None = None
    failure_reason: str = ""
    message: str = ""


class _Outcome(msgspec.Struct, frozen=True):
    """How the job stands before its trace is closed."""

    status: Status = "success"
    exit_code: int | None = None
    reason: str = ""
    message: str = ""


class JobRun:
    """Runs one job. Call `run` once; `cancel` may be called at any time from the event loop.

    `compose` makes the shell script of a step, given the job's status so far.
    """

    def __init__(
        self,
        payload: JobPayload,
        executor: Executor,
        trace: JobTrace,
        files: JobFiles,
        compose: Callable[[Step, Status], bytes],
    ) -> None:
        self._payload = payload
        self._executor = executor
        self._trace = trace
        self._files = files
        self._compose = compose
        self._steps = {step.name: step for step in payload.steps}
        self._cancels = 0
        self._current: asyncio.Task[Any] | None = None
        self._script_began = False
        self._doubt = "the script did not run to its end"

    def cancel(self) -> None:
        """Stop the job. The first call stops the script politely, after_script and artifacts still
        happen; the second stops everything at once, cleanup excepted."""
        self._cancels += 1
        if self._current is not None:
            self._current.cancel()

    async def run(self) -> JobResult:
        """Run the job to its end. Never raises for what a job can do or suffer."""
        try:
            outcome = await self._until_script_ends()
            outcome = await self._afterwards(outcome)
        finally:
            await self._executor.cleanup()
        return await self._close(outcome)

    async def _until_script_ends(self) -> _Outcome:
        timeout = self._payload.runner_info.timeout
        try:
            async with asyncio.timeout(timeout):
                await self._prepare()
                return await self._script()
        except TimeoutError:
            sentence = f"the job ran longer than its timeout of {timeout} s and was stopped"
            return _Outcome("failed", reason=TIMED_OUT, message=sentence)
        except TracekeeperError as error:
            return _failed(error)

    async def _prepare(self) -> None:
        await self._stage(
            "prepare_executor",
            f'Preparing the "{self._executor.name}" executor',
            self._executor.prepare(self._trace),
        )
        await self._stage(
            "get_sources", "Getting the sources", self._executor.put_sources(self._trace)
        )
        if self._payload.cache:
            await self._stage("restore_cache", "Restoring the cache", self._files.restore_caches())
        if self._payload.dependencies:
            await self._stage(
                "download_artifacts", "Fetching artifacts", self._files.fetch_artifacts()
            )

    async def _script(self) -> _Outcome:
        step = self._steps["script"]
        script = self._compose(step, "success")
        self._script_began = True
        result = await self._stage(
            "step_script", "Running the script", self._executor.run(step, script, self._trace)
        )
        self._doubt = result.doubt
        return _judged(result)

    async def _afterwards(self, outcome: _Outcome) -> _Outcome:
        """Everything that happens after the script, however it ended."""
        try:
            if self._script_began and outcome.reason != TIMED_OUT:
                await self._after_script(outcome.status)
            if self._payload.cache:
                work = self._files.save_caches(succeeded=outcome.status == "success")
                await self._stage("archive_cache", "Saving the cache", work, afterwards=True)
            if self._payload.artifacts:
                work = self._files.keep_artifacts(succeeded=outcome.status == "success")
                await self._stage("upload_artifacts", "Keeping artifacts", work, afterwards=True)
        except TracekeeperError as error:
            return outcome if outcome.status != "success" else _failed(error)
        return outcome

    async def _after_script(self, status: Status) -> None:
        """Run after_script; how it ends changes nothing (GitLab's default)."""
        step = self._steps.get("after_script")
        if step is None:
            return
        try:
            async with asyncio.timeout(step.timeout):
                script = self._compose(step, status)
                work = self._executor.run(step, script, self._trace)
                result = await self._stage(
                    "after_script", "Running after_script", work, afterwards=True
                )
        except TimeoutError:
            self._trace.note(f"WARNING: after_script ran longer than {step.timeout} s; stopped")
        except StorageError:
            raise
        except TracekeeperError as error:
            self._trace.note(f"WARNING: after_script failed: {error.message}")
        else:
            self._doubt = self._doubt or result.doubt
            if result.exit_code:
                self._trace.note(
                    f"WARNING: after_script ended with exit code {result.exit_code}; "
                    "the job's result stays as it is"
                )

    async def _stage(
        self, name: str, title: str, work: Coroutine[Any, Any, T], *, afterwards: bool = False
    ) -> T:
        """Do `work` inside a section of the trace, in a task that `cancel` can stop alone."""
        if self._cancels > afterwards:
            work.close()
            raise _canceled()
        with self._trace.section(name, title):
            task = asyncio.ensure_future(work)
            self._current = task
            try:
                return await task
            except asyncio.CancelledError:
                if self._cancels and task.cancelled():
                    raise _canceled() from None
                raise
            finally:
                self._trace.drain()
                self._current = None

    async def _close(self, outcome: _Outcome) -> JobResult:
        """Say the end in the trace, seal it, and let no job be green on a doubtful trace."""
        if outcome.status == "success" and self._doubt:
            outcome = _Outcome("failed", outcome.exit_code, "runner_system_failure", self._doubt)
        self._trace.finish(_last_line(outcome))
        ledger = await asyncio.to_thread(self._trace.seal, self._doubt)
        if outcome.status == "success" and ledger.verdict in ("unproven", "altered"):
            outcome = _Outcome("failed", outcome.exit_code, "runner_system_failure", ledger.reason)
        return JobResult(outcome.status, ledger, outcome.exit_code, outcome.reason, outcome.message)


def _judged(result: StepResult) -> _Outcome:
    code = result.exit_code
    if code == 0:
        return _Outcome(exit_code=0)
    sentence = f"exit code {code}"
    if result.oom:
        sentence = f"out of memory: the kernel ended it at its memory limit (exit code {code})"
    return _Outcome("failed", code, "script_failure", sentence)


def _failed(error: TracekeeperError) -> _Outcome:
    reason = error.reason if isinstance(error, JobError) else "runner_system_failure"
    status: Status = "canceled" if reason == CANCELED else "failed"
    hint = f" ({error.hint})" if error.hint else ""
    return _Outcome(status, reason=reason, message=error.message + hint)


def _canceled() -> JobError:
    return JobError("the job was canceled", reason=CANCELED)


def _last_line(outcome: _Outcome) -> str:
    if outcome.status == "success":
        return "\x1b[32;1mJob succeeded\x1b[0;m"
    if outcome.status == "canceled":
        return "\x1b[33;1mJob canceled\x1b[0;m"
    return f"\x1b[31;1mERROR: Job failed: {outcome.message}\x1b[0;m"
