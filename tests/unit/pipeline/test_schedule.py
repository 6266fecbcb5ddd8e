"""The scheduler: rules one by one, then against a slow model of GitLab's processing."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from types import FrameType

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.pipeline.config import AllowFailure, JobConfig, Retry, When
from tracekeeper.pipeline.pipeline import Job, JobNeed, Pipeline
from tracekeeper.pipeline.schedule import Change, Schedule
from tracekeeper.pipeline.status import COMPLETED, IllegalTransition, Status, compose
from tracekeeper.problems import Position

AT = Position(".gitlab-ci.yml", 1, 1)
NO_RETRY = Retry()


def job(
    name: str,
    stage: int = 0,
    *,
    when: When = "on_success",
    needs: Iterable[str] | None = None,
    allow_failure: bool = False,
    allowed_codes: tuple[int, ...] = (),
    retry: Retry = NO_RETRY,
    group: str = "",
    start_in: int = 0,
) -> Job:
    return Job(
        name=name,
        config=JobConfig(name=name, at=AT, retry=retry, resource_group=group),
        stage_index=stage,
        when=when,
        start_in=start_in,
        allow_failure=AllowFailure(allow_failure or bool(allowed_codes), allowed_codes),
        needs=None if needs is None else tuple(JobNeed(need) for need in needs),
    )


def pipeline(*jobs: Job) -> Pipeline:
    ordered = sorted(jobs, key=lambda j: j.stage_index)
    return Pipeline(stages=("a", "b", "c"), jobs={j.name: j for j in ordered})


class Course:
    """A schedule driven by short words; `changes` of the last call as ``job status``."""

    def __init__(self, *jobs: Job, groups: Mapping[str, str] | None = None) -> None:
        self.schedule = Schedule(pipeline(*jobs), resource_groups=groups)
        self.now = 0.0
        self.changes = self._told(self.schedule.begin(self.now))

    def _told(self, changes: Sequence[Change]) -> list[str]:
        self.changes = [f"{change.job} {change.status}" for change in changes]
        return self.changes

    def ends(self, name: str, reason: str = "", code: int | None = None) -> list[str]:
        """Run a pending job to its end; what changed after it ended."""
        self.schedule.started(name)
        return self._told(
            self.schedule.finished(name, self.now, failure_reason=reason, exit_code=code)
        )

    def fails(self, name: str, code: int | None = 1) -> list[str]:
        return self.ends(name, "script_failure", code)

    def plays(self, name: str) -> list[str]:
        return self._told(self.schedule.play(name, self.now))

    def waits(self, seconds: float) -> list[str]:
        self.now += seconds
        return self._told(self.schedule.advance(self.now))


def over(schedule: Schedule) -> bool:
    """A call, so that a type checker does not take the property for a constant."""
    return schedule.is_over


def next_due(schedule: Schedule) -> float | None:
    return schedule.next_due


def test_stages_one_after_the_other() -> None:
    course = Course(job("b1"), job("b2"), job("t", 1), job("d", 2))
    assert course.changes == ["b1 pending", "b2 pending"]
    assert course.ends("b2") == ["b2 success"]
    assert course.ends("b1") == ["b1 success", "t pending"]
    assert course.ends("t") == ["t success", "d pending"]
    assert not over(course.schedule)
    assert course.ends("d") == ["d success"]
    assert over(course.schedule)
    assert course.schedule.status == "success"


def test_empty_stages_and_an_empty_pipeline() -> None:
    assert Course(job("d", 2)).changes == ["d pending"]
    empty = Course()
    assert (empty.changes, empty.schedule.is_over, empty.schedule.status) == ([], True, "success")


def test_a_failure_skips_what_follows() -> None:
    course = Course(job("b"), job("t", 1), job("d", 2), job("always", 2, when="always"))
    assert course.fails("b") == ["b failed", "t skipped", "d skipped", "always pending"]
    course.ends("always")
    assert course.schedule.status == "failed"


def test_on_failure() -> None:
    rescue = job("rescue", 1, when="on_failure")
    assert Course(job("b"), rescue).fails("b") == ["b failed", "rescue pending"]
    assert Course(job("b"), rescue).ends("b") == ["b success", "rescue skipped"]
    tolerated = Course(job("b", allow_failure=True), rescue)
    assert tolerated.fails("b") == ["b failed", "rescue skipped"]


def test_an_allowed_failure_counts_as_success() -> None:
    course = Course(job("b", allow_failure=True), job("t", 1), job("d", 1, needs=["b"]))
    assert course.fails("b") == ["b failed", "d pending", "t pending"]
    assert course.schedule.may_fail("b")


def test_allowed_exit_codes() -> None:
    allowed = Course(job("b", allowed_codes=(3, 4)), job("t", 1))
    assert not allowed.schedule.may_fail("b")
    assert allowed.fails("b", 4) == ["b failed", "t pending"]
    assert allowed.schedule.may_fail("b")
    assert Course(job("b", allowed_codes=(3,)), job("t", 1)).fails("b", 5) == [
        "b failed",
        "t skipped",
    ]


def test_needs_do_not_wait_for_stages() -> None:
    course = Course(job("slow"), job("fast"), job("t", 1, needs=["fast"]), job("now", 2, needs=[]))
    assert course.changes == ["now pending", "slow pending", "fast pending"]
    assert course.schedule.pending == ("slow", "fast", "now")
    assert course.ends("fast") == ["fast success", "t pending"]


def test_needs_in_the_same_stage() -> None:
    course = Course(job("second", needs=["first"]), job("first"))
    assert course.changes == ["first pending"]
    assert course.ends("first") == ["first success", "second pending"]


def test_a_need_outside_the_pipeline_counts_as_fulfilled() -> None:
    assert Course(job("t", 1, needs=["elsewhere"])).changes == ["t pending"]


def test_a_failed_need_skips_its_dependants() -> None:
    course = Course(
        job("b"), job("t", needs=["b"]), job("d", needs=["t"]), job("a", when="always", needs=["d"])
    )
    assert course.fails("b") == ["b failed", "t skipped", "d skipped", "a pending"]


def test_an_always_job_waits_for_the_rest_of_its_needs() -> None:
    course = Course(
        job("m", when="manual", allow_failure=True),
        job("b"),
        job("a", when="always", needs=["m", "b"]),
    )
    assert course.changes == ["m manual", "b pending"]
    assert course.ends("b") == ["b success", "a pending"]


def test_an_optional_manual_job_holds_nobody_up() -> None:
    course = Course(job("m", when="manual", allow_failure=True), job("t", 1))
    assert course.changes == ["m manual", "t pending"]


def test_a_blocking_manual_job_holds_the_pipeline_up() -> None:
    course = Course(job("m", when="manual"), job("t", 1))
    assert course.changes == ["m manual"]
    assert course.schedule.is_over
    assert course.schedule.status == "manual"
    assert course.plays("m") == ["m pending"]
    assert course.ends("m") == ["m success", "t pending"]


def test_playing_gives_skipped_dependants_another_chance() -> None:
    course = Course(
        job("m", when="manual", allow_failure=True),
        job("t", 1, needs=["m"]),
        job("d", 2, needs=["t"]),
        job("stage", 1),
    )
    assert course.changes == ["m manual", "t skipped", "stage pending", "d skipped"]
    assert course.plays("m") == ["m pending"]
    assert course.schedule.statuses["d"] == "created"
    assert course.ends("stage") == ["stage success"]
    assert course.ends("m") == ["m success", "t pending"]
    assert course.ends("t") == ["t success", "d pending"]


def test_playing_opens_its_stage_again() -> None:
    course = Course(job("m", when="manual", allow_failure=True), job("b"), job("t", 1), job("d", 2))
    assert course.fails("b") == ["b failed", "t skipped", "d skipped"]
    assert course.plays("m") == ["m pending"]
    assert course.ends("m") == ["m success", "t skipped", "d skipped"]


@pytest.mark.parametrize("ended", ["running", "success"])
def test_only_manual_and_delayed_jobs_can_be_played(ended: str) -> None:
    course = Course(job("b", group="g"), job("c", group="g"))
    course.schedule.started("b")
    if ended == "success":
        course.schedule.finished("b", 0)
    with pytest.raises(IllegalTransition, match=f"a job that is {ended} cannot be played"):
        course.plays("b")


def test_delayed_jobs() -> None:
    course = Course(
        job("late", when="delayed", start_in=60),
        job("early", when="delayed", start_in=5),
        job("t", 1),
    )
    assert course.changes == ["late scheduled", "early scheduled"]
    assert next_due(course.schedule) == 5
    assert not over(course.schedule)
    assert course.waits(4) == []
    assert course.waits(1) == ["early pending"]
    assert next_due(course.schedule) == 60
    assert course.plays("late") == ["late pending"]
    assert next_due(course.schedule) is None
    course.ends("early")
    assert course.ends("late") == ["late success", "t pending"]


def test_delayed_jobs_become_pending_in_the_order_of_their_times() -> None:
    course = Course(*(job(f"d{n}", when="delayed", start_in=9 - n // 2) for n in range(4)))
    assert course.waits(10) == ["d2 pending", "d3 pending", "d0 pending", "d1 pending"]


def test_retry_begins_again() -> None:
    course = Course(job("b", retry=Retry(max=2)), job("t", 1))
    assert course.fails("b") == ["b failed", "b pending"]
    assert course.fails("b") == ["b failed", "b pending"]
    assert course.fails("b") == ["b failed", "t skipped"]


def test_a_retry_is_the_next_attempt() -> None:
    schedule = Schedule(pipeline(job("b", retry=Retry(max=1))))
    schedule.begin(0)
    schedule.started("b")
    changes = schedule.finished("b", 0, failure_reason="script_failure")
    assert changes == (Change("b", "failed", 1), Change("b", "pending", 2))


RETRIES = [
    (Retry(max=0), "script_failure", 1, False),
    (Retry(max=1), "script_failure", 1, True),
    (Retry(max=1, when=("always",)), "runner_system_failure", None, True),
    (Retry(max=1, when=("runner_system_failure",)), "runner_system_failure", None, True),
    (Retry(max=1, when=("runner_system_failure",)), "script_failure", 1, False),
    (Retry(max=1, exit_codes=(137,)), "script_failure", 137, True),
    (Retry(max=1, exit_codes=(137,)), "script_failure", 1, False),
    (Retry(max=1, exit_codes=(137,)), "runner_system_failure", None, False),
    (Retry(max=1, when=("script_failure",), exit_codes=(137,)), "script_failure", 1, True),
    (Retry(max=1), "missing_dependency_failure", None, False),
]


@pytest.mark.parametrize(("retry", "reason", "code", "again"), RETRIES)
def test_what_is_retried(retry: Retry, reason: str, code: int | None, again: bool) -> None:
    course = Course(job("b", retry=retry))
    assert course.ends("b", reason, code) == (["b failed", "b pending"] if again else ["b failed"])


def test_a_retry_takes_an_allowed_exit_code_back() -> None:
    course = Course(job("b", retry=Retry(max=1), allowed_codes=(3,)), job("t", 1))
    assert course.fails("b", 3) == ["b failed", "b pending"]
    assert not course.schedule.may_fail("b")
    assert course.fails("b", 4) == ["b failed", "t skipped"]


def test_a_job_may_fail_before_it_starts() -> None:
    schedule = Schedule(pipeline(job("b")))
    schedule.begin(0)
    assert schedule.finished("b", 0, failure_reason="runner_system_failure")[0].status == "failed"


def test_a_resource_group_runs_one_at_a_time() -> None:
    course = Course(job("a", group="g"), job("b", group="g"), job("c", group="g"))
    assert course.changes == ["a pending", "b waiting_for_resource", "c waiting_for_resource"]
    course.schedule.cancel("b", 0)
    assert course.ends("a") == ["a success", "c pending"]
    assert course.ends("c") == ["c success"]


def test_expanded_resource_groups() -> None:
    written = [job("a", group="$X"), job("b", group="$X")]
    assert Course(*written, groups={"a": "1", "b": "2"}).changes == ["a pending", "b pending"]


def test_a_retry_stands_in_the_queue_of_its_group_again() -> None:
    course = Course(job("a", group="g", retry=Retry(max=1)), job("b", group="g"))
    assert course.fails("a") == ["a failed", "b pending", "a waiting_for_resource"]
    assert course.ends("b") == ["b success", "a pending"]


def test_cancel_one() -> None:
    schedule = Schedule(
        pipeline(job("a", retry=Retry(max=1)), job("t", 1), job("z", 1, when="always"))
    )
    schedule.begin(0)
    schedule.started("a")
    assert schedule.cancel("a", 0) == (Change("a", "canceling", 1),)
    assert [c.status for c in schedule.finished("a", 0, failure_reason="job_canceled")] == [
        "canceled",
        "skipped",
        "skipped",
    ]
    assert schedule.status == "canceled"


def test_cancel_at_once() -> None:
    schedule = Schedule(pipeline(job("a")))
    schedule.begin(0)
    schedule.started("a")
    assert schedule.canceled("a", 0) == (Change("a", "canceled", 1),)
    assert schedule.is_over


def test_cancel_all() -> None:
    course = Course(
        job("run", group="g"),
        job("wait", group="g"),
        job("pend"),
        job("late", when="delayed", start_in=9),
        job("hand", when="manual", allow_failure=True),
        job("next", 1, when="always"),
    )
    course.schedule.started("run")
    assert course._told(course.schedule.cancel_all()) == [
        "run canceling",
        "wait canceled",
        "pend canceled",
        "late canceled",
        "next canceled",
    ]
    assert course.schedule.cancel_all() == ()
    assert not over(course.schedule)
    course.schedule.finished("run", 0)
    assert over(course.schedule)
    assert course.schedule.statuses["hand"] == "manual"


def test_cancel_all_gives_no_resource_group_to_another_job() -> None:
    course = Course(job("a", group="g"), job("b", group="g"))
    assert course._told(course.schedule.cancel_all()) == ["a canceled", "b canceled"]


def test_illegal_events() -> None:
    schedule = Schedule(pipeline(job("a"), job("b", 1)))
    schedule.begin(0)
    with pytest.raises(IllegalTransition, match="a job that is created cannot run"):
        schedule.started("b")
    with pytest.raises(IllegalTransition, match="a job that is pending cannot succeed"):
        schedule.finished("a", 0)


# against a slow model

WHENS: tuple[When, ...] = ("on_success", "on_failure", "always", "manual")


@st.composite
def pipelines(draw: st.DrawFn) -> Pipeline:
    """Any mixture of stages and needs; a need is an earlier job, as in a DAG."""
    jobs: list[Job] = []
    for number in range(draw(st.integers(0, 8))):
        earlier = [j.name for j in jobs]
        choices = (
            st.lists(st.sampled_from(earlier), unique=True, max_size=3) if earlier else st.just([])
        )
        stage = draw(st.integers(jobs[-1].stage_index if jobs else 0, 2))
        new = job(
            f"j{number}",
            stage,
            when=draw(st.sampled_from(WHENS)),
            allow_failure=draw(st.booleans()),
            needs=draw(st.none() | choices),
        )
        jobs.append(new)
    return pipeline(*jobs)


class SlowModel:
    """Looks at all jobs again after every event, as GitLab's pipeline processing does."""

    def __init__(self, jobs: Mapping[str, Job]) -> None:
        self.jobs = jobs
        self.statuses: dict[str, Status] = dict.fromkeys(jobs, "created")
        self.process()

    def before(self, j: Job) -> Status:
        if j.needs is None:
            names = [n for n, other in self.jobs.items() if other.stage_index < j.stage_index]
        else:
            names = [need.job for need in j.needs]
        many = [(self.statuses[n], self.jobs[n].allow_failure.allowed) for n in names]
        if j.needs is not None and any(s == "skipped" or (s == "manual" and a) for s, a in many):
            rest = [(s, a) for s, a in many if s != "manual" or not a]
            return "skipped" if j.when != "always" or compose(rest) in COMPLETED else "pending"
        return compose(many)

    def process(self) -> None:
        before: dict[str, Status] = {}
        while before != self.statuses:
            before = dict(self.statuses)
            for name, j in self.jobs.items():
                if self.statuses[name] == "created" and (status := self.before(j)) in COMPLETED:
                    self.statuses[name] = self.after(j, status)

    def after(self, j: Job, before: Status) -> Status:
        fine = ("success",) if j.needs is not None else ("success", "skipped")
        accepted = {"on_failure": ("failed",), "always": ("success", "failed", "skipped")}
        if before not in accepted.get(j.when, fine):
            return "skipped"
        return "manual" if j.when == "manual" else "pending"


@given(pipelines(), st.data())
def test_it_agrees_with_the_slow_model(made: Pipeline, data: st.DataObject) -> None:
    schedule, model = Schedule(made), SlowModel(made.jobs)
    schedule.begin(0)
    assert schedule.statuses == model.statuses
    running: list[str] = []
    while todo := [*schedule.pending, *running]:
        name = data.draw(st.sampled_from(todo))
        if name in running:
            running.remove(name)
            how: Status = data.draw(st.sampled_from(["success", "failed"]))
            schedule.finished(name, 0, failure_reason="" if how == "success" else "script_failure")
        else:
            running.append(name)
            how = "running"
            schedule.started(name)
        model.statuses[name] = how
        model.process()
        assert schedule.statuses == model.statuses
        assert schedule.status == compose(
            (model.statuses[n], j.allow_failure.allowed) for n, j in made.jobs.items()
        )
    assert schedule.is_over


@st.composite
def rich_pipelines(draw: st.DrawFn) -> Pipeline:
    made = draw(pipelines())

    def enrich(j: Job) -> Job:
        config = msgspec.structs.replace(
            j.config,
            retry=Retry(max=draw(st.integers(0, 2))),
            resource_group=draw(st.sampled_from(["", "g", "h"])),
        )
        delayed = j.when == "on_success" and draw(st.booleans())
        when: When = "delayed" if delayed else j.when
        return msgspec.structs.replace(
            j, config=config, when=when, start_in=draw(st.integers(0, 9))
        )

    return msgspec.structs.replace(made, jobs={n: enrich(j) for n, j in made.jobs.items()})


def check_needs(made: Pipeline, schedule: Schedule, name: str) -> None:
    """All that `name` waits for is over when it starts."""
    j = made.jobs[name]
    names = (
        [n.job for n in j.needs or ()]
        if j.needs is not None
        else [n for n, other in made.jobs.items() if other.stage_index < j.stage_index]
    )
    for before in names:
        status = schedule.statuses[before]
        assert status in COMPLETED or (status == "manual" and schedule.may_fail(before))


@given(rich_pipelines(), st.data())
def test_every_course_ends_and_keeps_the_rules(made: Pipeline, data: st.DataObject) -> None:
    schedule = Schedule(made)
    schedule.begin(0)
    running: list[str] = []
    now, steps, played = 0.0, 0, set[str]()
    while not schedule.is_over:
        steps += 1
        assert steps < 200
        held = [made.jobs[n].config.resource_group for n in (*schedule.pending, *running)]
        assert all(held.count(group) <= 1 for group in "gh")
        choices = [*schedule.pending, *running]
        manual = [n for n, s in schedule.statuses.items() if s == "manual" and n not in played]
        if not choices and schedule.next_due is not None:
            now = schedule.next_due
            schedule.advance(now)
            continue
        name = data.draw(st.sampled_from([*choices, *manual]))
        if name in manual:
            played.add(name)
            schedule.play(name, now)
        elif name in running:
            running.remove(name)
            schedule.finished(
                name, now, failure_reason=data.draw(st.sampled_from(["", "script_failure"]))
            )
        else:
            if name not in played and not played:
                check_needs(made, schedule, name)
            running.append(name)
            schedule.started(name)
    assert not running
    assert not schedule.pending


@given(rich_pipelines(), st.integers(0, 6), st.data())
def test_cancel_all_ends_everything(made: Pipeline, steps: int, data: st.DataObject) -> None:
    schedule = Schedule(made)
    schedule.begin(0)
    for _ in range(steps):
        if schedule.pending:
            schedule.started(data.draw(st.sampled_from(schedule.pending)))
    running = [n for n, s in schedule.statuses.items() if s == "running"]
    schedule.cancel_all()
    for name in running:
        schedule.finished(name, 0, failure_reason="job_canceled")
    assert schedule.is_over
    assert set(schedule.statuses.values()) <= COMPLETED | {"manual"}


def calls_to_run(made: Pipeline) -> int:
    """How many calls, of Python or C, it takes to run a pipeline, one job at a time."""
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        schedule = Schedule(made)
        schedule.begin(0)
        while schedule.pending:
            name = schedule.pending[0]
            schedule.started(name)
            schedule.finished(name, 0)
    finally:
        sys.setprofile(before)
    assert schedule.status == "success"
    return calls


def chain(length: int) -> Pipeline:
    return pipeline(*(job(f"j{n}", needs=[f"j{n - 1}"] if n else []) for n in range(length)))


def test_a_chain_costs_in_proportion_to_its_length() -> None:
    assert calls_to_run(chain(1000)) < 5 * calls_to_run(chain(250))
