"""One job from its payload to its result: the stages, in GitLab's order, each told in the trace.

    prepare_executor → get_sources → restore_cache → download_artifacts → step_script
    → after_script → archive_cache → upload_artifacts → cleanup

A stage that fails ends the way to the script; what must happen anyway (after_script once the
script has begun, caches and artifacts by their ``when``, cleanup) still happens. The job's timeout
ends all but the cleanup: https://docs.gitlab.com/ci/yaml/#artifactswhen says that artifacts are
not kept then, and `timeouts` how a job leaves time for them.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec
from msgspec.structs import replace

from tracekeeper.errors import JobError, StorageError, TracekeeperError
from tracekeeper.protocol.payload import JobPayload, Step
from tracekeeper.runner import defects, timeouts
from tracekeeper.runner.course import Course, Outcome, Status
from tracekeeper.runner.executors.base import Executor, StepResult
from tracekeeper.runner.files import JobFiles
from tracekeeper.runner.output import JobTrace
from tracekeeper.trace.ledger import Ledger

T = TypeVar("T")

AGAIN = 60.0
"""Seconds that a job which is taken up has at least: its time may be over, but what it wrote in
time is still to be read."""

SMALL_TRACE = 1 << 20
"""A trace of fewer bytes is read back at once: a thread would cost more than it saves."""

CANCELED = "job_canceled"
TIMED_OUT = "job_execution_timeout"
SYSTEM_FAILURE = "runner_system_failure"

_FALSE = ("0", "f", "F", "false", "FALSE", "False")
"""What gitlab-runner takes as false in a variable."""


class JobResult(msgspec.Struct, frozen=True):
    """How a job ended. `failure_reason` is GitLab's and `message` says it in a sentence; both are
    empty on success. `exit_code` is the script's, None where it did not come to an end."""

    status: Status
    ledger: Ledger
    exit_code: int | None = None
    failure_reason: str = ""
    message: str = ""


class JobRun:
    """Runs one job. Call one of `run`, `take_up` and `give_up`, once; `cancel` may be called at any
    time from the event loop.

    `compose` makes the shell script of a step, given the job's status so far. `variables` are the
    job's, expanded. `about` says in a few words why this executor was taken. `details` is a file
    for what is to be known of a defect of ours, made only then. `keep` is asked once the job's
    status is known: the sentence that the trace has of what is kept beyond the job's end.
    """

    def __init__(
        self,
        payload: JobPayload,
        executor: Executor,
        trace: JobTrace,
        files: JobFiles,
        compose: Callable[[Step, Status], bytes],
        *,
        variables: Mapping[str, str],
        about: str,
        details: Path,
        keep: Callable[[Status], str] = lambda _: "",
    ) -> None:
        self._payload = payload
        self._executor = executor
        self._trace = trace
        self._files = files
        self._compose = compose
        self._variables = variables
        self._about = about
        self._details = details
        self._keep = keep
        self._steps = {step.name: step for step in payload.steps}
        self._cancels = 0
        self._patience = 0
        self._current: asyncio.Task[Any] | None = None
        self._deadline: float | None = None
        self._script_began = False
        self._course = Course()
        self._again = False
        self._doubt = self._altered = ""

    def cancel(self) -> None:
        """Stop the job. The first call stops the script politely, after_script and artifacts still
        happen; the second stops everything at once, cleanup excepted."""
        self._cancels += 1
        if self._current is not None and self._cancels > self._patience:
            self._current.cancel()

    async def run(self) -> JobResult:
        """Run the job to the proven end of its trace; `clean_up` comes after it, also where this
        was cancelled. Never raises for what a job can do or suffer."""
        self._course = Course(began=time.time())
        return await self._to_its_end(self._until_script_ends)

    async def take_up(self, course: Course, remark: str) -> JobResult:
        """As `run`, for a job of which another process was killed when it had come as far as
        `course` says, with an executor that finds what that one made. `remark` tells it in the
        trace."""
        self._course, self._again = course, True
        self._doubt, self._altered = course.doubt, course.altered
        if course.ended == "job":
            return await self._judge(course.outcome)
        self._trace.note(remark)
        return await self._to_its_end(self._until_script_ended)

    async def give_up(self, why: str) -> JobResult:
        """Close the trace of a job that cannot be taken up: a system failure, unproven."""
        self._doubt = why
        return await self._close(Outcome("failed", reason=SYSTEM_FAILURE, message=why))

    async def _to_its_end(self, until_script_ends: Callable[[], Awaitable[Outcome]]) -> JobResult:
        try:
            outcome = await self._within_timeout(until_script_ends)
        except Exception as error:
            outcome = self._failed(error)
        return await self._close(outcome)

    async def clean_up(self) -> str:
        """Remove all that was made for the job: the sentence that says why it could not be, or
        nothing. Never raises for what an executor can meet."""
        try:
            await self._executor.cleanup()
        except Exception as error:
            trouble = defects.sentence(error, self._details)
            return f"not all of the job is removed: {self._trace.masked(trouble)}"
        return ""

    async def _within_timeout(self, until_script_ends: Callable[[], Awaitable[Outcome]]) -> Outcome:
        seconds = self._payload.runner_info.timeout
        try:
            async with asyncio.timeout(self._left(seconds, self._course.began)) as timeout:
                self._deadline = timeout.when()
                outcome = await until_script_ends()
                if self._script_began and not self._course.ended:
                    self._note_end("script", outcome)
                return await self._afterwards(outcome)
        except TimeoutError:
            if not timeout.expired():
                raise
        return _timed_out(f"the job ran longer than its timeout of {seconds} s and was stopped")

    async def _until_script_ends(self) -> Outcome:
        try:
            step = self._steps["script"]
            script = self._compose(step, "success")
            await self._prepare(script)
            outcome = await self._script(step, script)
        except TracekeeperError as error:
            return self._failed(error)
        return self._unless_canceled(outcome)

    async def _until_script_ended(self) -> Outcome:
        """As `_until_script_ends`, for a script that was begun, or has ended already."""
        try:
            await self._executor.prepare(self._trace)
            self._script_began = True
            if self._course.ended:
                return self._course.outcome
            outcome = await self._script(self._steps["script"], b"")
        except TracekeeperError as error:
            self._collect_doubts()
            return self._failed(error)
        return self._unless_canceled(outcome)

    async def _prepare(self, script: bytes) -> None:
        await self._stage(
            "prepare_executor",
            f'Preparing the "{self._executor.name}" executor: {self._about}',
            self._executor.prepare(self._trace),
        )
        await self._stage(
            "get_sources", "Getting the sources", self._executor.put_sources(self._trace, script)
        )
        if self._payload.cache:
            await self._stage("restore_cache", "Restoring the cache", self._files.restore_caches())
        if self._payload.dependencies:
            await self._stage(
                "download_artifacts", "Fetching artifacts", self._files.fetch_artifacts()
            )

    async def _script(self, step: Step, script: bytes) -> Outcome:
        if not step.script:
            self._warn("nothing ran: the job has no script; `trigger` and `run` are not acted on")
            return Outcome()
        limit = self._limit(timeouts.SCRIPT, self._payload.runner_info.timeout)
        left = self._begin(step, limit)
        work = self._run_step(step, script)
        self._script_began = True
        try:
            async with timeouts.within(left, self._deadline) as timeout:
                result = await self._stage(
                    "step_script", "Running the script", work, goes_on=self._again
                )
        except TimeoutError:
            if not timeout.expired():
                raise
            return _timed_out(f"the script ran longer than {limit:g} s and was stopped")
        return _judged(result)

    async def _afterwards(self, outcome: Outcome) -> Outcome:
        """Everything that happens after the script, however it ended. Where it could not even
        begin there is nothing to run in and nothing to keep."""
        if not self._script_began:
            return outcome
        try:
            if self._course.ended != "after_script":
                outcome = await self._after_script(outcome)
                self._note_end("after_script", outcome)
            succeeded = outcome.status == "success"
            if self._payload.cache:
                work = self._files.save_caches(succeeded=succeeded)
                await self._stage("archive_cache", "Saving the cache", work, afterwards=True)
            if self._payload.artifacts:
                work = self._files.keep_artifacts(succeeded=succeeded)
                await self._stage("upload_artifacts", "Keeping artifacts", work, afterwards=True)
        except TracekeeperError as error:
            return outcome if outcome.status != "success" else self._failed(error)
        return self._unless_canceled(outcome)

    async def _after_script(self, outcome: Outcome) -> Outcome:
        """Run after_script. How it ends changes nothing, unless the job
        says so by AFTER_SCRIPT_IGNORE_ERRORS."""
        step = self._steps.get("after_script")
        if step is None:
            return outcome
        failure = await self._failure_of(step, outcome.status)
        if failure is None:
            return outcome
        if self._variables.get("AFTER_SCRIPT_IGNORE_ERRORS") in _FALSE:
            return failure if outcome.status == "success" else outcome
        what = failure.message if failure.status == "failed" else "after_script was interrupted"
        self._warn(f"{what}; the job's result stays as it is")
        return outcome

    async def _failure_of(self, step: Step, status: Status) -> Outcome | None:
        """Run after_script; how it failed, None where it did not. Raises StorageError."""
        limit = self._limit(timeouts.AFTER_SCRIPT, step.timeout)
        left = self._begin(step, limit)
        try:
            async with timeouts.within(left, self._deadline) as timeout:
                work = self._run_step(step, self._compose(step, status))
                result = await self._stage(
                    "after_script", "Running after_script", work, afterwards=True
                )
        except TimeoutError:
            if not timeout.expired():
                raise
            return _timed_out(f"after_script ran longer than {limit:g} s and was stopped")
        except StorageError:
            raise
        except TracekeeperError as error:
            return self._failed(error)
        outcome = _judged(result, "after_script: ")
        return outcome if outcome.status == "failed" else None

    async def _run_step(self, step: Step, script: bytes) -> StepResult:
        try:
            return await self._executor.run(step, script, self._trace)
        finally:
            self._collect_doubts()

    def _collect_doubts(self) -> None:
        executor, masked = self._executor, self._trace.masked
        self._doubt = self._doubt or masked(executor.doubt)
        self._altered = self._altered or masked(executor.altered)

    async def _stage(
        self,
        name: str,
        title: str,
        work: Coroutine[Any, Any, T],
        *,
        afterwards: bool = False,
        goes_on: bool = False,
    ) -> T:
        """Do `work` inside a section of the trace. What `goes_on` already cannot be left out."""
        self._patience = int(afterwards)
        if self._cancels > self._patience and not goes_on:
            work.close()
            raise _canceled()
        with self._trace.section(name, title):
            return await self._cancellable(work)

    async def _cancellable(self, work: Coroutine[Any, Any, T]) -> T:
        """Do `work` in a task that `cancel` can stop alone."""
        self._current = task = asyncio.ensure_future(work)
        if self._cancels > self._patience:
            asyncio.get_running_loop().call_soon(task.cancel)  # once it has begun
        try:
            return await task
        except asyncio.CancelledError:
            if self._cancels > self._patience and task.cancelled():
                raise _canceled() from None
            raise
        finally:
            self._trace.drain()
            self._current = None

    async def _close(self, outcome: Outcome) -> JobResult:
        """Say the end in the trace, seal it, and let no job be green on a doubtful trace."""
        if outcome.status == "success" and (why := self._altered or self._doubt):
            outcome = Outcome("failed", outcome.exit_code, SYSTEM_FAILURE, why)
        if kept := self._keep(outcome.status):
            self._trace.note(kept)
        self._trace.finish(_last_line(outcome), self._ended("job", outcome))
        return await self._judge(outcome)

    async def _judge(self, outcome: Outcome) -> JobResult:
        ledger = await self._seal()
        if outcome.status == "success" and ledger.verdict in ("unproven", "altered"):
            outcome = Outcome("failed", outcome.exit_code, SYSTEM_FAILURE, ledger.reason)
        message = self._trace.masked(outcome.message)
        return JobResult(outcome.status, ledger, outcome.exit_code, outcome.reason, message)

    async def _seal(self) -> Ledger:
        if self._trace.size < SMALL_TRACE:
            return self._trace.seal(self._doubt, self._altered)
        return await asyncio.to_thread(self._trace.seal, self._doubt, self._altered)

    def _begin(self, step: Step, limit: float) -> float:
        """A step begins, or goes on: how much of its `limit` is left, in seconds."""
        if self._again and self._course.step == step.name:
            return self._left(limit, self._course.step_began)
        self._course = replace(self._course, step=step.name, step_began=time.time())
        self._trace.record(self._course)
        return limit

    def _left(self, limit: float, since: float) -> float:
        return max(limit - (time.time() - since), AGAIN) if self._again else limit

    def _note_end(self, what: Literal["script", "after_script"], outcome: Outcome) -> None:
        self._course = self._ended(what, outcome)
        self._trace.record(self._course)

    def _ended(self, what: Literal["script", "after_script", "job"], outcome: Outcome) -> Course:
        masked = replace(outcome, message=self._trace.masked(outcome.message))
        return replace(
            self._course, ended=what, outcome=masked, doubt=self._doubt, altered=self._altered
        )

    def _limit(self, name: str, default: float) -> float:
        seconds, warning = timeouts.limit(self._variables, name, default)
        if warning:
            self._warn(warning)
        return seconds

    def _warn(self, sentence: str) -> None:
        self._trace.note(f"\x1b[33;1mWARNING: {sentence}\x1b[0;m")

    def _unless_canceled(self, outcome: Outcome) -> Outcome:
        """`outcome`, but for a success that an interrupt came to."""
        if self._cancels and outcome.status == "success":
            return self._failed(_canceled())
        return outcome

    def _failed(self, error: Exception) -> Outcome:
        reason = error.reason if isinstance(error, JobError) else SYSTEM_FAILURE
        status: Status = "canceled" if reason == CANCELED else "failed"
        return Outcome(status, reason=reason, message=defects.sentence(error, self._details))


def _judged(result: StepResult, which: str = "") -> Outcome:
    code = result.exit_code
    if code == 0:
        return Outcome(exit_code=0)
    sentence = f"{which}exit code {code}"
    if result.oom:
        sentence = (
            f"{which}out of memory: the kernel ended it at its memory limit (exit code {code})"
        )
    return Outcome("failed", code, "script_failure", sentence)


def _timed_out(sentence: str) -> Outcome:
    return Outcome("failed", reason=TIMED_OUT, message=sentence)


def _canceled() -> JobError:
    return JobError("the job was canceled", reason=CANCELED)


def _last_line(outcome: Outcome) -> str:
    if outcome.status == "success":
        return "\x1b[32;1mJob succeeded\x1b[0;m"
    if outcome.status == "canceled":
        return "\x1b[33;1mJob canceled\x1b[0;m"
    return f"\x1b[31;1mERROR: Job failed: {outcome.message}\x1b[0;m"
