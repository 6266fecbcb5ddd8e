"""The way of a job through its stages, with an executor that does what it is told."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tracekeeper.errors import EngineError, JobError, StorageError, TracekeeperError
from tracekeeper.protocol.payload import (
    ArtifactSpec,
    CacheSpec,
    Dependency,
    JobInfo,
    JobPayload,
    RunnerInfo,
    Step,
)
from tracekeeper.runner import job
from tracekeeper.runner.course import Course, Outcome, Status
from tracekeeper.runner.executors.base import Output, StepResult
from tracekeeper.runner.job import JobResult, JobRun
from tracekeeper.runner.output import JobTrace
from tracekeeper.runner.spool import Spool
from tracekeeper.trace.chain import Chain
from tracekeeper.trace.masks import Masks

Deed = Callable[[Output], Awaitable[StepResult]]
PREPARED = ["prepare", "put_sources", "restore_caches", "fetch_artifacts"]
SAVED = ["save_caches", "keep_artifacts"]


async def succeed(output: Output) -> StepResult:
    output.write(b"output\n")
    return StepResult(0)


def ending(**how: Any) -> Deed:
    async def deed(_: Output) -> StepResult:
        return StepResult(**how)

    return deed


def raising(error: BaseException) -> Deed:
    async def deed(_: Output) -> StepResult:
        raise error

    return deed


class Stage:
    """Executor and files in one: notes what is asked of it, and does `deeds` instead."""

    name = "fake"
    project_dir = "/project"
    doubt = ""
    altered = ""

    def __init__(
        self, deeds: dict[str, Deed], doubts: dict[str, str], altered: dict[str, str]
    ) -> None:
        self.deeds = deeds
        self.doubts = doubts
        self.alterations = altered
        self.calls: list[str] = []
        self.succeeded: list[bool] = []
        self.output: Output | None = None
        self.interrupt: Callable[[str], None] = lambda _: None

    async def _do(self, name: str) -> StepResult:
        self.calls.append(name)
        self.interrupt(name)
        assert self.output is not None
        return await self.deeds.get(name, succeed)(self.output)

    async def prepare(self, output: Output) -> None:
        self.output = output
        await self._do("prepare")

    async def put_sources(self, output: Output, script: bytes = b"") -> None:
        await self._do("put_sources")

    async def put_archive(self, archive: Path) -> None:
        raise AssertionError

    async def run(self, step: Step, script: bytes, output: Output) -> StepResult:
        self.calls.append(f"{step.name}: {script.decode()}")
        self.doubt = self.doubts.get(step.name, "")
        self.altered = self.alterations.get(step.name, "")
        self.interrupt(step.name)
        return await self.deeds.get(step.name, succeed)(output)

    @asynccontextmanager
    async def collect(self, paths: Sequence[str]) -> AsyncIterator[Path]:
        yield Path()

    async def cleanup(self) -> None:
        self.calls.append("cleanup")
        if "cleanup" in self.deeds:
            await self._do("cleanup")

    async def restore_caches(self) -> None:
        await self._do("restore_caches")

    async def fetch_artifacts(self) -> None:
        await self._do("fetch_artifacts")

    async def save_caches(self, *, succeeded: bool) -> None:
        self.succeeded.append(succeeded)
        await self._do("save_caches")

    async def keep_artifacts(self, *, succeeded: bool) -> None:
        await self._do("keep_artifacts")


SECRET = "hunter2-hunter2"
PAYLOAD = JobPayload(
    1,
    "token",
    JobInfo(1, "job", "test"),
    (),
    (Step("script", ("s",), 3600), Step("after_script", ("a",), 300, "always")),
    cache=(CacheSpec("k"),),
    artifacts=(ArtifactSpec(),),
    dependencies=(Dependency(2, "other"),),
)


class Ran:
    """A job that has run. `interrupts` says during which calls it is canceled, and how often."""

    def __init__(
        self,
        directory: Path,
        *,
        payload: JobPayload = PAYLOAD,
        variables: dict[str, str] | None = None,
        interrupts: dict[str, int] | None = None,
        before: int = 0,
        deeds: dict[str, Deed] | None = None,
        doubts: dict[str, str] | None = None,
        altered: dict[str, str] | None = None,
        course: Course | None = None,
    ) -> None:
        self.stage = Stage(deeds or {}, doubts or {}, altered or {})
        self.course = course
        self.directory = directory
        self.result: JobResult = asyncio.run(
            self._run(payload, variables or {}, interrupts or {}, before)
        )
        self.log = (directory / "trace").read_text()

    async def _run(
        self,
        payload: JobPayload,
        variables: dict[str, str],
        interrupts: dict[str, int],
        before: int,
    ) -> JobResult:
        trace = JobTrace(
            Spool.create(self.directory),
            Chain(Masks([SECRET])),
            changed=lambda: None,
            told=lambda _: None,
        )
        stage: Any = self.stage
        self.run = JobRun(
            payload,
            stage,
            trace,
            stage,
            compose,
            variables=variables,
            about="why",
            details=self.directory / "details",
        )
        loop = asyncio.get_running_loop()

        def interrupt(call: str) -> None:
            for _ in range(interrupts.pop(call, 0)):
                loop.call_soon(self.run.cancel)

        stage.interrupt = interrupt
        stage.output = trace
        for _ in range(before):
            self.run.cancel()
        result = await (
            self.run.take_up(self.course, "taken up") if self.course else self.run.run()
        )
        self.trouble = await self.run.clean_up()
        return result

    @property
    def end(self) -> tuple[Status, str, int | None]:
        return self.result.status, self.result.failure_reason, self.result.exit_code


def compose(step: Step, status: Status) -> bytes:
    return status.encode()


async def forever(_: Output) -> StepResult:
    await asyncio.Event().wait()
    raise AssertionError


async def a_moment(_: Output) -> StepResult:
    await asyncio.sleep(0.02)
    return StepResult(0)


def test_all_goes_well(tmp_path: Path) -> None:
    ran = Ran(tmp_path)
    scripts = ["script: success", "after_script: success"]
    assert ran.stage.calls == [*PREPARED, *scripts, *SAVED, "cleanup"]
    assert ran.end == ("success", "", 0)
    assert ran.result.ledger.verdict == "proven"
    assert 'Preparing the "fake" executor: why' in ran.log
    assert ran.log.splitlines()[-1].endswith("Job succeeded\x1b[0;m")
    assert ran.trouble == ""


def test_what_a_job_does_not_ask_for_is_left_out(tmp_path: Path) -> None:
    payload = JobPayload(1, "token", JobInfo(1, "job", "test"), (), PAYLOAD.steps[:1])
    ran = Ran(tmp_path, payload=payload)
    assert ran.stage.calls == ["prepare", "put_sources", "script: success", "cleanup"]


@pytest.mark.parametrize("stage", PREPARED)
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (JobError("it is so", reason="image_pull_failure", hint="try that"), "image_pull_failure"),
        (EngineError("it is so", hint="try that"), "runner_system_failure"),
    ],
)
def test_a_stage_that_fails_ends_the_way_to_the_script(
    tmp_path: Path, stage: str, error: TracekeeperError, reason: str
) -> None:
    ran = Ran(tmp_path, deeds={stage: raising(error)})
    reached = PREPARED[: PREPARED.index(stage) + 1]
    assert ran.stage.calls == [*reached, "cleanup"]
    assert ran.end == ("failed", reason, None)
    assert ran.result.message == "it is so (try that)"
    assert "Job failed: it is so (try that)" in ran.log
    assert ran.result.ledger.verdict == "proven"


def test_a_script_that_fails(tmp_path: Path) -> None:
    ran = Ran(tmp_path, deeds={"script": ending(exit_code=3)})
    assert "after_script: failed" in ran.stage.calls
    assert ran.end == ("failed", "script_failure", 3)
    assert ran.result.message == "exit code 3"
    assert ran.stage.succeeded == [False]


def test_a_script_that_runs_out_of_memory(tmp_path: Path) -> None:
    ran = Ran(tmp_path, deeds={"script": ending(exit_code=137, oom=True)})
    assert ran.end == ("failed", "script_failure", 137)
    assert ran.result.message.startswith("out of memory")


@pytest.mark.parametrize("step", ["script", "after_script"])
def test_no_job_is_green_on_a_doubtful_trace(tmp_path: Path, step: str) -> None:
    ran = Ran(tmp_path, doubts={step: "who knows"})
    assert ran.end == ("failed", "runner_system_failure", 0)
    assert ran.result.message == "who knows"
    assert ran.result.ledger.verdict == "unproven"


def test_no_secret_is_in_what_is_said_of_a_job(tmp_path: Path) -> None:
    error = JobError(f"image busybox:{SECRET} cannot be pulled", reason="image_pull_failure")
    deeds = {"prepare": raising(error), "cleanup": raising(EngineError(f"no {SECRET}"))}
    ran = Ran(tmp_path, deeds=deeds)
    assert ran.result.message == "image busybox:[MASKED] cannot be pulled"
    assert ran.trouble == "not all of the job is removed: no [MASKED]"


def test_no_secret_is_in_what_is_said_of_a_trace(tmp_path: Path) -> None:
    ran = Ran(tmp_path, doubts={"script": f"{SECRET} was lost"})
    assert (ran.result.message, ran.result.ledger.reason) == ("[MASKED] was lost",) * 2


def test_no_job_is_green_on_an_altered_trace(tmp_path: Path) -> None:
    async def alter(_: Output) -> StepResult:
        with (tmp_path / "trace").open("ab") as file:
            file.write(b"not ours\n")
        return StepResult(0)

    ran = Ran(tmp_path, deeds={"keep_artifacts": alter})
    assert ran.end == ("failed", "runner_system_failure", 0)
    assert ran.result.ledger.verdict == "altered"


def test_no_job_is_green_on_output_that_was_another_when_it_was_read_again(tmp_path: Path) -> None:
    ran = Ran(tmp_path, altered={"script": f"it begins later, after {SECRET}"})
    assert ran.end == ("failed", "runner_system_failure", 0)
    assert ran.result.message == "it begins later, after [MASKED]"
    assert ran.result.ledger.verdict == "altered"


def test_a_failed_script_on_a_doubtful_trace_failed_for_its_own_reason(tmp_path: Path) -> None:
    ran = Ran(tmp_path, deeds={"script": ending(exit_code=3)}, doubts={"script": "who knows"})
    assert ran.end == ("failed", "script_failure", 3)
    assert ran.result.ledger.verdict == "unproven"


# ---------------------------------------------------------------------------- after_script


@pytest.mark.parametrize(
    ("deed", "words"),
    [
        (ending(exit_code=4), "after_script: exit code 4; the job's result stays as it is"),
        (raising(JobError("it is so", reason="x")), "it is so; the job's result stays as it is"),
    ],
)
def test_after_script_changes_nothing(tmp_path: Path, deed: Deed, words: str) -> None:
    ran = Ran(tmp_path, deeds={"after_script": deed})
    assert ran.end == ("success", "", 0)
    assert words in ran.log


@pytest.mark.parametrize("value", ["0", "f", "F", "false", "FALSE", "False"])
def test_after_script_may_count(tmp_path: Path, value: str) -> None:
    variables = {"AFTER_SCRIPT_IGNORE_ERRORS": value}
    ran = Ran(tmp_path, variables=variables, deeds={"after_script": ending(exit_code=4)})
    assert ran.end == ("failed", "script_failure", 4)
    assert ran.stage.succeeded == [False]


def test_the_script_failed_first(tmp_path: Path) -> None:
    variables = {"AFTER_SCRIPT_IGNORE_ERRORS": "false"}
    deeds = {"script": ending(exit_code=3), "after_script": ending(exit_code=4)}
    ran = Ran(tmp_path, variables=variables, deeds=deeds)
    assert ran.end == ("failed", "script_failure", 3)


def test_after_script_cannot_hide_a_full_disk(tmp_path: Path) -> None:
    ran = Ran(tmp_path, deeds={"after_script": raising(StorageError("it is full"))})
    assert ran.end == ("failed", "runner_system_failure", None)


@pytest.mark.parametrize("stage", SAVED)
def test_what_cannot_be_kept_fails_a_job_that_passed(tmp_path: Path, stage: str) -> None:
    refusal = raising(StorageError("it is full"))
    assert Ran(tmp_path / "1", deeds={stage: refusal}).end == (
        "failed",
        "runner_system_failure",
        None,
    )
    failed = Ran(tmp_path / "2", deeds={"script": ending(exit_code=3), stage: refusal})
    assert failed.end == ("failed", "script_failure", 3)


# ------------------------------------------------------------------------------ time limits


def test_the_jobs_timeout(tmp_path: Path) -> None:
    payload = JobPayload(
        1, "t", PAYLOAD.job_info, (), PAYLOAD.steps, runner_info=RunnerInfo(0), cache=PAYLOAD.cache
    )
    ran = Ran(tmp_path, payload=payload, deeds={"prepare": forever})
    assert ran.end == ("failed", "job_execution_timeout", None)
    assert ran.stage.calls == ["cleanup"]


@pytest.mark.parametrize("step", ["script", "after_script"])
def test_a_step_that_the_jobs_timeout_stops_is_stopped_once(tmp_path: Path, step: str) -> None:
    async def goodbye(output: Output) -> StepResult:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.3)
            output.write(b"cleaned\n")
        raise AssertionError

    async def a_while(_: Output) -> StepResult:
        await asyncio.sleep(0.1)
        return StepResult(0)

    payload = msgspec.structs.replace(
        PAYLOAD,
        runner_info=RunnerInfo(1),
        steps=(Step("script", ("s",), 1), Step("after_script", ("a",), 1, "always")),
    )
    ran = Ran(tmp_path, payload=payload, deeds={"prepare": a_while, step: goodbye})
    assert ran.end == ("failed", "job_execution_timeout", None)
    assert ran.result.message == "the job ran longer than its timeout of 1 s and was stopped"
    assert "cleaned" in ran.log


def test_the_scripts_limit_leaves_the_rest(tmp_path: Path) -> None:
    ran = Ran(tmp_path, variables={"RUNNER_SCRIPT_TIMEOUT": "10ms"}, deeds={"script": forever})
    assert ran.end == ("failed", "job_execution_timeout", None)
    assert ran.result.message == "the script ran longer than 0.01 s and was stopped"
    assert ran.stage.calls[-4:] == ["after_script: failed", *SAVED, "cleanup"]
    assert ran.result.ledger.verdict == "proven"


def test_the_after_scripts_limit(tmp_path: Path) -> None:
    ran = Ran(
        tmp_path, variables={"RUNNER_AFTER_SCRIPT_TIMEOUT": "10ms"}, deeds={"after_script": forever}
    )
    assert ran.end == ("success", "", 0)
    assert "after_script ran longer than 0.01 s and was stopped" in ran.log


@pytest.mark.parametrize("step", ["prepare", "script", "after_script"])
def test_a_timeout_of_somebody_else_is_not_the_jobs(tmp_path: Path, step: str) -> None:
    ran = Ran(tmp_path, deeds={step: raising(TimeoutError("somebody else's"))})
    assert ran.end == ("failed", "runner_system_failure", None)
    assert ran.stage.calls[-1] == "cleanup"


def test_a_limit_that_cannot_be_read(tmp_path: Path) -> None:
    ran = Ran(tmp_path, variables={"RUNNER_SCRIPT_TIMEOUT": "soon"})
    assert "WARNING: RUNNER_SCRIPT_TIMEOUT is passed over: 'soon' is not a duration" in ran.log


# ------------------------------------------------------------------------------ cancellation


def test_canceled_before_it_begins(tmp_path: Path) -> None:
    ran = Ran(tmp_path, before=1)
    assert ran.end == ("canceled", "job_canceled", None)
    assert ran.stage.calls == ["cleanup"]
    assert ran.log.splitlines()[-1].endswith("Job canceled\x1b[0;m")


def test_canceled_once(tmp_path: Path) -> None:
    ran = Ran(tmp_path, interrupts={"script": 1}, deeds={"script": forever})
    assert ran.end == ("canceled", "job_canceled", None)
    assert ran.stage.calls[-4:] == ["after_script: canceled", *SAVED, "cleanup"]


def test_canceled_twice(tmp_path: Path) -> None:
    ran = Ran(tmp_path, interrupts={"script": 2}, deeds={"script": forever})
    assert ran.end == ("canceled", "job_canceled", None)
    assert ran.stage.calls[-2:] == ["script: success", "cleanup"]


def test_what_comes_after_the_script_may_end(tmp_path: Path) -> None:
    ran = Ran(tmp_path, interrupts={"after_script": 1}, deeds={"after_script": a_moment})
    assert ran.stage.calls[-3:] == [*SAVED, "cleanup"]
    assert ran.stage.succeeded == [True]
    assert ran.end == ("canceled", "job_canceled", None)


@pytest.mark.parametrize("stage", ["after_script", *SAVED])
def test_a_second_interrupt_ends_that_too(tmp_path: Path, stage: str) -> None:
    ran = Ran(tmp_path, interrupts={stage: 2}, deeds={stage: forever})
    assert ran.stage.calls[-2].startswith(stage)
    assert ran.end == ("canceled", "job_canceled", None)


def test_an_interrupt_as_the_script_ends(tmp_path: Path) -> None:
    ran = Ran(tmp_path, interrupts={"script": 1})
    assert ran.end[0] == "canceled"
    assert "after_script: canceled" in ran.stage.calls


# ---------------------------------------------------------------------------------- defects


@pytest.mark.parametrize("stage", [*PREPARED, "script", "after_script", *SAVED])
def test_a_defect_fails_the_job(tmp_path: Path, stage: str) -> None:
    ran = Ran(tmp_path, deeds={stage: raising(ZeroDivisionError("planted"))})
    assert ran.end == ("failed", "runner_system_failure", None)
    assert ran.result.message == (
        "a defect of tracekeeper (ZeroDivisionError: planted); "
        f"please report it with {tmp_path / 'details'}"
    )
    assert ran.stage.calls[-1] == "cleanup"
    assert "Job failed: a defect of tracekeeper" in ran.log


@pytest.mark.parametrize("error", [EngineError("it is so"), OSError(5, "it is so")])
def test_a_cleanup_that_fails(tmp_path: Path, error: Exception) -> None:
    ran = Ran(tmp_path, deeds={"cleanup": raising(error)})
    assert ran.end == ("success", "", 0)
    assert ran.trouble == "not all of the job is removed: it is so"


# ------------------------------------------------------------------------ after a process's death


def journalled(ran: Ran) -> list[dict[str, Any]]:
    """How far the job had come, line by line of its journal."""
    lines = (ran.directory / "journal").read_text().splitlines()
    return [course for line in lines if (course := json.loads(line)[2][2])]


def test_how_far_a_job_has_come_is_in_its_journal(tmp_path: Path) -> None:
    ran = Ran(tmp_path, deeds={"script": ending(exit_code=3)}, doubts={"after_script": SECRET})
    ends = {course["ended"]: course for course in journalled(ran)}
    assert list(ends) == ["", "script", "after_script", "job"]
    assert ends["script"]["outcome"]["exit_code"] == 3
    assert ends["after_script"]["step"] == "after_script"
    assert ends["job"]["doubt"] == "[MASKED]"
    assert time.time() - 60 < ends["job"]["began"] <= ends["job"]["step_began"] <= time.time()


def now(**more: Any) -> Course:
    return Course(**{"began": time.time(), "step_began": time.time(), "step": "script", **more})


AFTER = ["after_script: success", *SAVED, "cleanup"]


@pytest.mark.parametrize(
    ("course", "calls"),
    [
        (now(), ["prepare", "script: ", *AFTER]),
        (now(ended="script"), ["prepare", *AFTER]),
        (now(ended="script", step="after_script"), ["prepare", *AFTER]),
        (now(ended="after_script"), ["prepare", *SAVED, "cleanup"]),
    ],
)
def test_what_is_left_is_done(tmp_path: Path, course: Course, calls: list[str]) -> None:
    ran = Ran(tmp_path, course=course)
    assert ran.stage.calls == calls
    assert ran.end[:2] == ("success", "")
    assert ran.log.count("taken up") == 1
    assert ran.result.ledger.verdict == "proven"


def test_what_was_known_holds(tmp_path: Path) -> None:
    outcome = Outcome("failed", 3, "script_failure", "exit code 3")
    ran = Ran(tmp_path, course=now(ended="script", outcome=outcome, doubt="who knows"))
    assert "after_script: failed" in ran.stage.calls
    assert ran.end == ("failed", "script_failure", 3)
    assert (ran.result.message, ran.result.ledger.reason) == ("exit code 3", "who knows")


def test_a_job_that_was_closed_is_not_closed_again(tmp_path: Path) -> None:
    outcome = Outcome("failed", 3, "script_failure", "exit code 3")
    ran = Ran(tmp_path, course=now(ended="job", outcome=outcome))
    assert ran.stage.calls == ["cleanup"]
    assert ran.end == ("failed", "script_failure", 3)
    assert ran.log == ""


def test_what_cannot_be_found_any_more(tmp_path: Path) -> None:
    gone = JobError("the container is gone", reason="runner_system_failure")
    stage = {"prepare": raising(gone)}
    ran = Ran(tmp_path, course=now(), deeds=stage)
    assert ran.stage.calls == ["prepare", "cleanup"]
    assert ran.end == ("failed", "runner_system_failure", None)


def test_time_goes_on_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "AGAIN", 0.01)
    long_ago = now(began=time.time() - 7200, step_began=time.time() - 7200)
    ran = Ran(tmp_path / "job", course=long_ago, deeds={"script": forever})
    assert ran.result.message == "the job ran longer than its timeout of 3600 s and was stopped"
    script = now(step_began=time.time() - 7200)
    variables = {"RUNNER_SCRIPT_TIMEOUT": "1h"}
    ran = Ran(tmp_path / "script", course=script, variables=variables, deeds={"script": forever})
    assert ran.result.message == "the script ran longer than 3600 s and was stopped"


def test_a_job_whose_time_is_over_has_some_left_to_be_read(tmp_path: Path) -> None:
    long_ago = now(began=time.time() - 7200, step_began=time.time() - 7200)
    ran = Ran(tmp_path, course=long_ago, deeds={"script": a_moment})
    assert ran.end == ("success", "", 0)


def test_canceled_before_it_is_taken_up(tmp_path: Path) -> None:
    ran = Ran(tmp_path, course=now(), before=1)
    assert ran.end == ("canceled", "job_canceled", None)
    assert ran.stage.calls[-1] == "cleanup"


def test_a_job_that_died_with_its_process(tmp_path: Path) -> None:
    async def main() -> JobResult:
        trace = JobTrace(
            Spool.create(tmp_path), Chain(Masks()), changed=lambda: None, told=lambda _: None
        )
        stage: Any = Stage({}, {}, {})
        run = JobRun(
            PAYLOAD, stage, trace, stage, compose, variables={}, about="", details=tmp_path / "d"
        )
        return await run.give_up("the run was killed")

    result = asyncio.run(main())
    assert (result.status, result.failure_reason) == ("failed", "runner_system_failure")
    assert (result.ledger.verdict, result.ledger.reason) == ("unproven", "the run was killed")
    assert "Job failed: the run was killed" in (tmp_path / "trace").read_text()
