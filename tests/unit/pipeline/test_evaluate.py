"""From a file to the jobs of a pipeline."""

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.errors import InvalidPipeline
from tracekeeper.pipeline.config import (
    AllowFailure,
    Config,
    JobConfig,
    MatrixRow,
    Need,
    OnlyExcept,
    PathCondition,
    Rule,
    Variable,
    When,
    Workflow,
)
from tracekeeper.pipeline.evaluate import evaluate
from tracekeeper.pipeline.pipeline import Job, JobNeed, Pipeline
from tracekeeper.problems import Position

ReadConfig = Callable[[str], Config]


class Fake(msgspec.Struct):
    """A context, and the project's files, as plain values."""

    variables: dict[str, Variable] = {}
    overrides: dict[str, Variable] = {}
    existing: list[str] = []
    changes: dict[str, list[str]] = {}

    @property
    def files(self) -> "Fake":
        return self

    def read(self, path: str) -> bytes | None:
        return b"" if path in self.existing else None

    def paths(self) -> list[str]:
        return sorted(self.existing)

    def changed(self, compare_to: str) -> list[str] | None:
        return self.changes.get(compare_to)


def variables(**values: str) -> dict[str, Variable]:
    return {key: Variable(key, value) for key, value in values.items()}


def push(branch: str = "main", **overrides: str) -> Fake:
    known = variables(CI_PIPELINE_SOURCE="push", CI_COMMIT_BRANCH=branch, CI_COMMIT_REF_NAME=branch)
    return Fake(known, variables(**overrides))


@pytest.fixture
def pipeline_of(config_of: ReadConfig) -> Callable[..., Pipeline]:
    def evaluated(text: str, context: Fake | None = None) -> Pipeline:
        return evaluate(config_of(text), context or push())

    return evaluated


PipelineOf = Callable[..., Pipeline]


def values(found: Job | Pipeline) -> dict[str, str]:
    return {key: variable.value for key, variable in found.variables.items()}


def test_jobs_come_in_the_order_of_stages_then_of_the_file(pipeline_of: PipelineOf) -> None:
    found = pipeline_of("""
        stages: [one, two]
        last: {stage: .post, script: [x]}
        b: {stage: two, script: [x]}
        a: {stage: one, script: [x], parallel: 2}
        c: {stage: one, script: [x]}
    """)
    assert list(found.jobs) == ["a 1/2", "a 2/2", "c", "b", "last"]
    assert found.stages == (".pre", "one", "two", ".post")
    a = found.jobs["a 2/2"]
    assert (a.stage, a.stage_index, a.node_index, a.node_total) == ("one", 1, 2, 2)
    assert (found.jobs["b"].node_index, found.jobs["b"].node_total) == (0, 0)


def test_rules_decide_how_a_job_runs(pipeline_of: PipelineOf) -> None:
    job = pipeline_of("""
        job:
          script: [x]
          rules:
            - if: $CI_COMMIT_BRANCH == "other"
            - if: $CI_COMMIT_BRANCH == "main"
              when: delayed
              start_in: 5 minutes
              allow_failure: true
              interruptible: true
              variables: {COLOUR: red}
            - when: never
    """).jobs["job"]
    assert (job.when, job.start_in, job.allow_failure) == ("delayed", 300, AllowFailure(True))
    assert job.config.interruptible
    assert values(job) == {"COLOUR": "red"}


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        ("when: manual", AllowFailure(True)),
        ("{when: manual, allow_failure: false}", AllowFailure(False)),
        ("rules: [{when: manual}]", AllowFailure(False)),
        ("{when: manual, rules: [{if: $CI_COMMIT_BRANCH}]}", AllowFailure(True)),
        ("rules: [{when: manual, allow_failure: true}]", AllowFailure(True)),
        ("allow_failure: {exit_codes: 3}", AllowFailure(True, (3,))),
        (
            "{allow_failure: {exit_codes: 3}, rules: [{if: $CI_COMMIT_BRANCH}]}",
            AllowFailure(True, (3,)),
        ),
        ("{allow_failure: {exit_codes: 3}, rules: [{allow_failure: true}]}", AllowFailure(True)),
        ("when: always", AllowFailure(False)),
    ],
)
def test_who_may_fail(pipeline_of: PipelineOf, keywords: str, expected: AllowFailure) -> None:
    entry = keywords.strip("{}") if keywords.startswith("{") else keywords
    job = pipeline_of(f"job: {{script: [x], {entry}}}").jobs["job"]
    assert job.allow_failure == expected


def test_a_jobs_own_when_holds_in_rules_without_one(pipeline_of: PipelineOf) -> None:
    found = pipeline_of("""
        always: {script: [x], when: always, rules: [{if: $CI_COMMIT_BRANCH}]}
        never: {script: [x], when: always, rules: [{if: $CI_COMMIT_BRANCH, when: never}]}
        later: {script: [x], when: delayed, start_in: 10s}
        none: {script: [x], rules: [{if: $NO}]}
        branch: {script: [x], only: [branches]}
        tag: {script: [x], only: [tags]}
    """)
    assert {name: job.when for name, job in found.jobs.items()} == {
        "always": "always",
        "later": "delayed",
        "branch": "on_success",
    }
    assert found.jobs["later"].start_in == 10


def test_the_stronger_variable_wins(pipeline_of: PipelineOf) -> None:
    text = """
        variables: {A: global, B: global, C: global, D: global, E: global}
        workflow:
          name: $A pipeline
          rules:
            - if: $CI_COMMIT_BRANCH
              variables: {B: workflow, C: workflow, D: workflow, E: workflow}
        job:
          script: [x]
          variables: {C: job, D: job, E: job}
          parallel: {matrix: [{D: matrix, E: matrix}]}
          rules:
            - if: $A == "global" && $B == "workflow" && $C == "job" && $D == "matrix"
              variables: {E: rule}
    """
    found = pipeline_of(text)
    assert values(found) == {"A": "global"} | dict.fromkeys("BCDE", "workflow")
    assert found.name == "$A pipeline"
    job = found.jobs["job: [matrix, matrix]"]
    expected = {"A": "global", "B": "workflow", "C": "job", "D": "matrix", "E": "rule"}
    assert values(job) == expected
    assert pipeline_of(text, push(C="override")).reason


def test_variables_are_inherited_as_far_as_a_job_wants(pipeline_of: PipelineOf) -> None:
    found = pipeline_of("""
        variables: {A: "1", B: "2"}
        all: {script: [x]}
        some: {script: [x], inherit: {variables: [B, C]}, rules: [{if: $A == null}]}
        none: {script: [x], inherit: {variables: false}, rules: [{if: $B == null}]}
    """)
    assert {name: list(job.variables) for name, job in found.jobs.items()} == {
        "all": ["A", "B"],
        "some": ["B"],
        "none": [],
    }


def test_rules_see_facts_about_the_job_and_its_instance(pipeline_of: PipelineOf) -> None:
    found = pipeline_of("""
        stages: [test]
        job:
          script: [x]
          parallel: 3
          rules:
            - if: $CI_NODE_INDEX == "2" && $CI_JOB_NAME =~ /^job/ && $CI_JOB_STAGE == "test"
    """)
    assert list(found.jobs) == ["job 2/3"]


def test_needs_are_those_of_the_rule_if_it_has_any(pipeline_of: PipelineOf) -> None:
    found = pipeline_of("""
        stages: [build, test]
        a: {stage: build, script: [x]}
        b: {stage: build, script: [x]}
        own: {stage: test, script: [x], needs: [a], rules: [{if: $CI_COMMIT_BRANCH}]}
        rule: {stage: test, script: [x], needs: [a], rules: [{needs: [b]}]}
        none: {stage: test, script: [x], needs: [a], rules: [{needs: []}]}
        staged: {stage: test, script: [x]}
    """)
    needs = {name: job.needs for name, job in found.jobs.items()}
    assert needs["own"] == (JobNeed("a"),)
    assert needs["rule"] == (JobNeed("b"),)
    assert needs["none"] == ()
    assert needs["staged"] is None


def test_each_instance_needs_its_own(pipeline_of: PipelineOf) -> None:
    found = pipeline_of("""
        stages: [build, test]
        build: {stage: build, script: [x], parallel: {matrix: [{OS: [linux, mac]}]}}
        test:
          stage: test
          script: [x]
          parallel: {matrix: [{OS: [linux, mac]}]}
          needs: [{job: build, parallel: {matrix: [{OS: "$[[ matrix.OS ]]"}]}}]
    """)
    assert found.jobs["test: [mac]"].needs == (JobNeed("build: [mac]"),)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("workflow: {rules: [{if: $NO}]}\njob: {script: [x]}", "`workflow: rules` lets"),
        ("workflow: {rules: [{when: never}]}\njob: {script: [x]}", "`workflow: rules` lets"),
        ("job: {script: [x], rules: [{if: $NO}]}", "the rules of the jobs leave none"),
        (
            "job: {script: [x], rules: [{if: $NO}]}\npre: {stage: .pre, script: [x]}",
            "jobs in .pre and .post alone",
        ),
    ],
)
def test_no_pipeline_has_a_reason(pipeline_of: PipelineOf, text: str, reason: str) -> None:
    found = pipeline_of(text)
    assert not found.jobs
    assert reason in found.reason
    assert not pipeline_of("job: {script: [x]}").reason


def test_workflow_rules_see_the_files_variables_and_overrides(pipeline_of: PipelineOf) -> None:
    text = """
        variables: {MODE: normal}
        workflow: {rules: [{if: $MODE == "special"}]}
        job: {script: [x]}
    """
    assert not pipeline_of(text).jobs
    assert pipeline_of(text, push(MODE="special")).jobs


def test_with_workflow_rules_jobs_are_not_for_branches_and_tags_alone(
    pipeline_of: PipelineOf,
) -> None:
    merge_request = Fake(variables(CI_PIPELINE_SOURCE="merge_request_event"))
    text = "job: {script: [x]}\n"
    assert not pipeline_of(text, merge_request).jobs
    assert pipeline_of("workflow: {rules: [{when: always}]}\n" + text, merge_request).jobs


AT = Position("f", 1, 1)


def test_every_problem_is_found(pipeline_of: PipelineOf) -> None:
    jobs = {
        "a": JobConfig("a", Position("f", 5, 1), stage="nowhere"),
        "b": JobConfig("b", AT, rules=(Rule(Position("f", 3, 1), "$A =="),), parallel=2),
        "c": JobConfig("c", AT, rules=(Rule(Position("f", 4, 1), "("),)),
    }
    with pytest.raises(InvalidPipeline) as raised:
        evaluate(Config((".pre", "test", ".post"), jobs), push())
    assert [(problem.code, problem.at.line) for problem in raised.value.problems] == [
        ("bad_expression", 3),
        ("bad_expression", 4),
        ("unknown_stage", 5),
    ]
    with pytest.raises(InvalidPipeline, match="`b` needs job `a`, which is not in this pipeline"):
        pipeline_of("""
            a: {script: [x], rules: [{if: $NO}]}
            b: {script: [x], needs: [a]}
        """)


def test_only_a_delayed_job_has_a_delay() -> None:
    job = JobConfig("a", AT, when="delayed", start_in=10, rules=(Rule(AT, when="always"),))
    found = evaluate(Config((".pre", "test", ".post"), {"a": job}), push())
    assert found.jobs["a"].start_in == 0


NAMES = st.sampled_from(["a", "b", "c"])
WHENS: st.SearchStrategy[When] = st.sampled_from(["on_success", "manual", "delayed", "never"])
CONDITIONS = st.sampled_from(["$A", "$CI_COMMIT_BRANCH", "$A ==", "$A =~ $B", "$B == null"])
VARIABLES = st.dictionaries(
    st.sampled_from("AB"), st.sampled_from(["", "$A", "$B$B", "/a/", "x"])
).map(lambda found: variables(**found))
PATHS = st.lists(st.sampled_from(["*", "src/$A/**/*", "{a,b", "[", "$B"]), max_size=2).map(
    lambda patterns: PathCondition(tuple(patterns), AT)
)
NEEDS = st.none() | st.lists(
    st.builds(Need, NAMES | st.just("a 1/2"), st.just(AT), st.booleans(), st.booleans()),
    max_size=2,
).map(tuple)
RULES = st.builds(
    Rule,
    st.just(AT),
    condition=st.none() | CONDITIONS,
    changes=st.none() | PATHS,
    exists=st.none() | PATHS,
    when=st.none() | WHENS,
    needs=NEEDS,
    variables=VARIABLES,
)
MATRIX_ROWS = st.builds(
    MatrixRow,
    st.dictionaries(st.sampled_from("AB"), st.lists(st.sampled_from("xy"), max_size=2).map(tuple)),
    st.just(AT),
)
POLICIES = st.none() | st.builds(
    OnlyExcept,
    st.just(AT),
    refs=st.lists(st.sampled_from(["branches", "/ma/", "@", "main@x"]), max_size=2).map(tuple),
    variables=st.lists(CONDITIONS, max_size=1).map(tuple),
)
JOBS = st.builds(
    JobConfig,
    NAMES,
    st.just(AT),
    stage=st.sampled_from([".pre", "one", "two", "nowhere"]),
    variables=VARIABLES,
    inherit_variables=st.booleans() | st.just(("A",)),
    rules=st.none() | st.lists(RULES, max_size=3).map(tuple),
    only=POLICIES,
    except_=POLICIES,
    when=WHENS,
    needs=NEEDS,
    parallel=st.sampled_from([0, 0, 2]),
    matrix=st.lists(MATRIX_ROWS, max_size=2).map(tuple),
)
CONFIGS = st.builds(
    lambda jobs, given, rules: Config(
        (".pre", "one", "two", ".post"),
        {job.name: job for job in jobs},
        given,
        Workflow(rules=rules),
    ),
    st.lists(JOBS, max_size=4),
    VARIABLES,
    st.none() | st.lists(RULES, max_size=2).map(tuple),
)


@given(CONFIGS, VARIABLES, st.none() | st.lists(st.sampled_from(["src/x/a", "b"]), max_size=2))
def test_any_config_gives_a_sound_pipeline_or_problems(
    config: Config, overrides: dict[str, Variable], changed: list[str] | None
) -> None:
    context = push()
    context.overrides = overrides
    context.existing = ["b", "src/x/a"]
    context.changes = {} if changed is None else {"": changed}
    try:
        found = evaluate(config, context)
    except InvalidPipeline:
        return
    assert bool(found.jobs) != bool(found.reason)
    assert [job.stage_index for job in found.jobs.values()] == sorted(
        job.stage_index for job in found.jobs.values()
    )
    for name, job in found.jobs.items():
        assert name == job.name
        assert job.when != "never"
        for need in job.needs or ():
            assert found.jobs[need.job].stage_index <= job.stage_index


def test_a_file_of_which_no_job_is_known_gives_no_pipeline() -> None:
    found = evaluate(Config(stages=("test",), jobs={}), push())
    assert found.reason == "no job of it is known in full (see its warnings)"
