from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tracekeeper.pipeline import node as nodes
from tracekeeper.pipeline.config import (
    AllowFailure,
    Artifacts,
    Cache,
    CacheKeyFiles,
    Environment,
    Image,
    JobConfig,
    MatrixRow,
    Need,
    OnlyExcept,
    PathCondition,
    Retry,
    Rule,
    Service,
    Variable,
)
from tracekeeper.pipeline.pipeline import Job, JobNeed
from tracekeeper.pipeline.reader import read
from tracekeeper.pipeline.show import to_yaml
from tracekeeper.pipeline.yaml import parse
from tracekeeper.problems import Position, Problem

AT = Position("f", 1, 1)


def read_back(text: str) -> JobConfig:
    """The job that `text` shows, read beside two others that it may need."""
    problems: list[Problem] = []
    document = parse(f"one: {{script: x}}\ntwo: {{script: x}}\n{text}".encode(), "f", problems)
    assert isinstance(document, nodes.Mapping)
    config = read(document, problems)
    assert config is not None, (text, problems)
    (job,) = [job for name, job in config.jobs.items() if name not in ("one", "two")]
    return job


def without_places(value: Any) -> Any:
    """`value` as plain data, without the positions in it."""
    plain = msgspec.to_builtins(value)
    return _strip(plain)


def _strip(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _strip(item) for key, item in value.items() if key != "at"}
    return [_strip(item) for item in value] if isinstance(value, (list, tuple)) else value


AWKWARD = ["yes", "a \nb", "1,000", "22:30", "0x1f", "~", "2020-01-01", "<<", "012", ".inf",
           "\x85", "a\n\x85", "\r", "a\u2028b", "1.10", " x ",
           "a\nb", "a\n\n", "\ta", "a: b", "# c", "- d", "!e", "&f", "*g", "é\x85\x00 ", "%", "@",
           "\n", "'\"", "null", "true", "=", "2001-12-14t21:59:43.1-05:00", "1e3"]  # fmt: skip
texts = st.sampled_from(AWKWARD) | st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12
)
words = st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True)


def tuples(of: st.SearchStrategy[Any], minimum: int = 0) -> st.SearchStrategy[Any]:
    return st.lists(of, min_size=minimum, max_size=3).map(tuple)


def maybe(of: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | of


def variables(raw: bool) -> st.SearchStrategy[dict[str, Variable]]:
    flag = st.booleans() if raw else st.just(False)
    variable = st.tuples(words | st.sampled_from(["YES", "NO", "A-B"]), texts, flag)
    return st.lists(variable, max_size=3).map(
        lambda all_: {key: Variable(key, value, raw=raw) for key, value, raw in all_}
    )


rows = st.dictionaries(words, tuples(texts, 1), min_size=1, max_size=2)
matrices = st.lists(rows, min_size=1, max_size=2).map(tuple)
seconds = st.integers(1, 604_799)
policies = tuples(st.sampled_from(["always", "if-not-present", "never"]))
containers: dict[str, st.SearchStrategy[Any]] = {
    "name": words,
    "entrypoint": maybe(tuples(texts)),
    "pull_policy": policies,
    "user": st.just("") | words,
    "platform": st.just("") | words,
}
images = st.builds(Image, **containers)
services = st.builds(
    Service,
    **containers,
    aliases=tuples(words),
    command=maybe(tuples(texts)),
    variables=variables(raw=True),
)
artifacts_when = st.sampled_from(["on_success", "on_failure", "always"])
artifacts = st.builds(
    Artifacts,
    paths=tuples(words),
    exclude=tuples(words),
    untracked=st.booleans(),
    name=st.just("") | texts,
    when=artifacts_when,
    expire_in=maybe(st.integers(1, 10**9)),
    dotenv=tuples(words),
    reports=st.dictionaries(st.sampled_from(["junit", "sast"]), tuples(words, 1))
    | st.dictionaries(st.sampled_from(["cobertura"]), words.map(lambda path: (path,))),
)
caches = st.builds(
    Cache,
    key=words | st.builds(CacheKeyFiles, files=st.just(("a", "b")), prefix=st.just("") | words),
    paths=tuples(words),
    untracked=st.booleans(),
    policy=st.sampled_from(["pull", "push", "pull-push", "$POLICY"]),
    when=artifacts_when,
    fallback_keys=tuples(words),
    unprotect=st.booleans(),
)


def needs_of(*names: str) -> st.SearchStrategy[Any]:
    need = st.builds(
        Need,
        job=st.sampled_from(names),
        at=st.just(AT),
        artifacts=st.booleans(),
        optional=st.booleans(),
        matrix=st.just(()) | matrices,
    )
    return st.lists(need, max_size=2, unique_by=lambda need: need.job).map(tuple)


needs = maybe(needs_of("one", "two"))
conditions = st.builds(PathCondition, paths=tuples(texts), at=st.just(AT))
changes = conditions | st.builds(PathCondition, tuples(texts), st.just(AT), compare_to=words)
rule_keywords: dict[str, st.SearchStrategy[Any]] = {
    "at": st.just(AT),
    "condition": st.just('$A == "b"'),
    "changes": maybe(changes),
    "exists": maybe(conditions),
    "allow_failure": maybe(st.booleans()),
    "variables": variables(raw=False),
    "needs": needs,
    "interruptible": maybe(st.booleans()),
}
rules = st.builds(
    Rule, **rule_keywords, when=st.sampled_from([None, "never", "manual", "on_success"])
) | st.builds(Rule, **rule_keywords, when=st.just("delayed"), start_in=seconds)
policies_by_ref = maybe(
    st.builds(
        OnlyExcept,
        at=st.just(AT),
        refs=tuples(texts),
        variables=st.sampled_from([(), ("$A",)]),
        changes=tuples(texts),
        kubernetes=st.booleans(),
    )
)
keywords: dict[str, st.SearchStrategy[Any]] = {
    "name": st.sampled_from(["job", "build: [a, b]", "test 1/3", "yes", "1"]),
    "at": st.just(AT),
    "image": maybe(images),
    "services": tuples(services),
    "before_script": tuples(texts),
    "script": tuples(texts, 1),
    "after_script": tuples(texts),
    "pre_get_sources_script": tuples(texts),
    "variables": variables(raw=True),
    "inherit_variables": st.booleans() | tuples(words, 1),
    "allow_failure": maybe(
        st.builds(AllowFailure, st.booleans())
        | st.builds(AllowFailure, st.just(True), tuples(st.integers(0, 255), 1))
    ),
    "needs": needs,
    "dependencies": st.sampled_from([None, ()]),
    "artifacts": maybe(artifacts),
    "cache": tuples(caches),
    "retry": st.builds(
        Retry,
        max=st.integers(0, 2),
        when=tuples(st.sampled_from(["always", "script_failure"])),
        exit_codes=tuples(st.integers(0, 255)),
    ),
    "timeout": maybe(st.integers(1, 10**6)),
    "tags": tuples(texts),
    "coverage": st.sampled_from(["", r"/^TOTAL\s+(\d+)%$/"]),
    "environment": maybe(
        st.builds(
            Environment,
            name=words,
            url=st.just("") | texts,
            action=st.sampled_from(["start", "stop"]),
            deployment_tier=st.sampled_from(["", "staging"]),
            auto_stop_in=st.sampled_from(["", "1 day"]),
        )
    ),
    "interruptible": st.booleans(),
    "resource_group": st.just("") | texts,
}
matrix_rows = matrices.map(lambda all_: tuple(MatrixRow(row, AT) for row in all_))
jobs = st.one_of(
    st.builds(JobConfig, **keywords, rules=maybe(tuples(rules)), parallel=st.integers(0, 9)),
    st.builds(JobConfig, **keywords, only=policies_by_ref, except_=policies_by_ref),
    st.builds(JobConfig, **keywords, when=st.just("delayed"), start_in=seconds),
    st.builds(JobConfig, **keywords, when=st.just("manual"), matrix=matrix_rows),
)


@given(jobs)
@settings(max_examples=80)
def test_what_is_shown_reads_back_the_same(job: JobConfig) -> None:
    assert without_places(read_back(to_yaml(job))) == without_places(job)


@given(jobs)
@settings(max_examples=25)
def test_other_parsers_see_the_same_scripts(job: JobConfig) -> None:
    shown = yaml.safe_load(to_yaml(job))[job.name]
    assert tuple(shown["script"]) == job.script
    assert tuple(shown.get("tags", ())) == job.tags


def test_a_job_of_a_pipeline_is_shown_as_it_will_run() -> None:
    config = JobConfig(
        "build",
        AT,
        script=("make",),
        rules=(Rule(AT, condition="$A"),),
        matrix=(MatrixRow({"A": ("b",)}, AT),),
    )
    job = Job(
        "build: [b]",
        config,
        stage_index=1,
        when="delayed",
        start_in=90,
        allow_failure=AllowFailure(True),
        needs=(JobNeed("one", artifacts=False),),
        variables={"A": Variable("A", "b")},
    )
    assert to_yaml(job) == (
        "'build: [b]':\n"
        "  stage: test\n"
        "  inherit:\n"
        "    variables: false\n"
        "  variables:\n"
        "    A: b\n"
        "  when: delayed\n"
        "  start_in: 90 seconds\n"
        "  script:\n"
        "  - make\n"
        "  needs:\n"
        "  - job: one\n"
        "    artifacts: false\n"
        "  allow_failure: true\n"
    )


@pytest.mark.parametrize(("needs", "shown"), [(None, False), ((), True)])
def test_no_needs_is_not_the_same_as_none(needs: tuple[JobNeed, ...] | None, shown: bool) -> None:
    job = Job("a", JobConfig("a", AT), 1, "on_success", needs=needs)
    assert ("needs: []" in to_yaml(job)) == shown


def test_lines_of_a_script_are_a_block() -> None:
    assert "  - |\n    one\n    two\n" in to_yaml(JobConfig("a", AT, script=("one\ntwo\n",)))


def test_a_job_as_written_is_shown_with_its_rules() -> None:
    rules = (
        Rule(
            AT,
            condition="$A",
            changes=PathCondition(("a/**",), AT, compare_to="main"),
            exists=PathCondition(("b",), AT),
            when="delayed",
            start_in=90,
            allow_failure=True,
            variables={"B": Variable("B", "c")},
            needs=(Need("one", AT), Need("two", AT, artifacts=False, optional=True)),
            interruptible=True,
        ),
        Rule(AT, when="never"),
    )
    only = OnlyExcept(AT, refs=("main",), variables=("$A",), changes=("x",), kubernetes=True)
    shown = JobConfig("job", AT, script=("x",), rules=rules, inherit_variables=("A",))
    assert without_places(read_back(to_yaml(shown))) == without_places(shown)
    shown = JobConfig("job", AT, script=("x",), only=only, inherit_variables=False)
    assert "kubernetes: active" in to_yaml(shown)
