"""The payload of a job."""

from collections.abc import Iterable

from tracekeeper.jobs.facts import GitFacts, JobFacts, PipelineFacts, ProjectFacts
from tracekeeper.jobs.payload import artifact_sources, build, resource_group
from tracekeeper.pipeline.config import (
    Artifacts,
    Cache,
    CacheKeyFiles,
    Environment,
    Image,
    JobConfig,
    Service,
    Variable,
)
from tracekeeper.pipeline.pipeline import Job, JobNeed, Pipeline
from tracekeeper.pipeline.variables import resolve
from tracekeeper.problems import Position
from tracekeeper.protocol.payload import (
    ArtifactSpec,
    CacheSpec,
    Dependency,
    DockerOptions,
    ExecutorOptions,
    GitInfo,
    ImageSpec,
    JobInfo,
    JobPayload,
    JobVariable,
    RunnerInfo,
    Step,
)

AT = Position(".gitlab-ci.yml", 1, 1)
GIT = GitFacts(sha="a" * 40, ref="main", message="m")
FACTS = PipelineFacts(GIT, ProjectFacts("group/app", id=4, repository_url="file:///app"), id=9)


def job(config: JobConfig, *variables: Variable) -> Job:
    return Job(config.name, config, 0, "on_success", variables={v.key: v for v in variables})


def no_files(key: CacheKeyFiles) -> str:
    raise AssertionError(key)


def payload(config: JobConfig, *variables: Variable) -> JobPayload:
    return build(job(config, *variables), FACTS, JobFacts(21, token="t"), digest=no_files)


def test_who_it_is() -> None:
    made = payload(JobConfig("unit", AT, stage="check"))
    assert (made.id, made.token) == (21, "t")
    assert made.job_info == JobInfo(21, "unit", "check", 4, "app", 9)
    assert made.git_info == GitInfo("file:///app", "main", "a" * 40, "0" * 40, "branch")
    assert made.runner_info == RunnerInfo(3600)
    assert (made.image, made.services, made.artifacts, made.cache) == (None, (), (), ())


def test_a_tag() -> None:
    facts = PipelineFacts(GitFacts(sha="", ref="v1", is_tag=True), ProjectFacts("app"))
    made = build(job(JobConfig("unit", AT)), facts, JobFacts(1), digest=no_files)
    assert made.git_info.ref_type == "tag"


def test_steps() -> None:
    config = JobConfig(
        "unit", AT, before_script=("a",), script=("b", "c"), after_script=("d",), timeout=60
    )
    assert payload(config).steps == (
        Step("script", ("a", "b", "c"), 60),
        Step("after_script", ("d",), 300, "always", allow_failure=True),
    )
    assert payload(JobConfig("unit", AT, script=("b",))).steps == (Step("script", ("b",), 3600),)


def test_variables_from_the_weakest_to_the_strongest() -> None:
    made = build(
        job(
            JobConfig("unit", AT),
            Variable("CI_COMMIT_SHA", "from the file"),
            Variable("GITLAB_USER_ID", "from the file"),
            Variable("A", "file"),
            Variable("B", "file"),
            Variable("C", "file"),
        ),
        FACTS,
        JobFacts(1),
        digest=no_files,
        dotenv=[
            {"A": "first", "B": "first"},
            {"B": "second", "C": "second", "GITLAB_USER_NAME": "second"},
        ],
        overrides={"C": Variable("C", "mine", masked=True, raw=True, file=True, public=False)},
    )
    values = resolve(made.variables)
    assert values["CI_COMMIT_SHA"] == "from the file"
    assert values["GITLAB_USER_ID"] == "1"
    assert values["GITLAB_USER_NAME"] == "second"
    assert [values[key] for key in "ABC"] == ["first", "second", "mine"]
    mine = JobVariable("C", "mine", public=False, file=True, masked=True, raw=True)
    assert made.variables[-1] == mine


def test_an_environment_s_name_is_made_of_the_job_s_variables() -> None:
    config = JobConfig("d", AT, environment=Environment("review/$X", url="https://$X.example.com"))
    values = resolve(payload(config, Variable("X", "$CI_COMMIT_BRANCH-1")).variables)
    assert values["CI_ENVIRONMENT_NAME"] == "review/main-1"
    assert values["CI_ENVIRONMENT_URL"] == "https://main-1.example.com"


def test_image_and_services() -> None:
    service = Service(
        name="postgres:$V",
        aliases=("db", "$ALIAS"),
        entrypoint=("e",),
        command=("$V",),
        variables={"P": Variable("P", "$V")},
        pull_policy=("never",),
    )
    config = JobConfig(
        "unit",
        AT,
        image=Image("py:$V", ("sh",), ("always",), user="$ALIAS", platform="linux/$V"),
        services=(service,),
    )
    made = payload(config, Variable("V", "3"), Variable("ALIAS", "other"))
    assert made.image == ImageSpec(
        "py:3",
        entrypoint=("sh",),
        pull_policy=("always",),
        executor_opts=ExecutorOptions(DockerOptions("linux/3", "other")),
    )
    assert made.services == (
        ImageSpec(
            "postgres:3",
            alias="db other",
            entrypoint=("e",),
            command=("$V",),
            variables=(JobVariable("P", "$V"),),
            pull_policy=("never",),
        ),
    )


def test_artifacts_and_reports() -> None:
    artifacts = Artifacts(
        paths=("out/",),
        exclude=("out/tmp",),
        name="$CI_JOB_NAME",
        when="on_failure",
        expire_in=60,
        dotenv=("build.env",),
        reports={"junit": ("j.xml",), "coverage_report": ("c.xml",), "metrics": ()},
    )
    archive, *reports = payload(JobConfig("unit", AT, artifacts=artifacts)).artifacts
    assert archive == ArtifactSpec(
        "$CI_JOB_NAME", False, ("out/",), ("out/tmp",), "on_failure", expire_in="60 seconds"
    )
    assert [(r.name, r.artifact_type, r.paths) for r in reports] == [
        (".env", "dotenv", ("build.env",)),
        ("junit.xml", "junit", ("j.xml",)),
        ("coverage_report", "coverage_report", ("c.xml",)),
    ]
    assert {(r.when, r.artifact_format, r.expire_in) for r in reports} == {
        ("always", "gzip", "60 seconds")
    }


def test_reports_alone_and_untracked_files_alone() -> None:
    reports = payload(JobConfig("unit", AT, artifacts=Artifacts(dotenv=("e",)))).artifacts
    assert [spec.artifact_type for spec in reports] == ["dotenv"]
    untracked = payload(JobConfig("unit", AT, artifacts=Artifacts(untracked=True))).artifacts
    assert untracked == (ArtifactSpec(untracked=True),)


def test_caches_and_dependencies() -> None:
    made = build(
        job(JobConfig("unit", AT, cache=(Cache(key="$CI_COMMIT_REF_SLUG", paths=("c",)),))),
        FACTS,
        JobFacts(1),
        digest=no_files,
        dependencies=[Dependency(3, "build")],
    )
    assert made.cache == (CacheSpec("main", ("c",)),)
    assert made.dependencies == (Dependency(3, "build"),)


def pipeline() -> Pipeline:
    def member(name: str, stage: int) -> Job:
        return Job(name, JobConfig(name.split()[0], AT), stage, "on_success")

    jobs = [member("a 1/2", 0), member("a 2/2", 0), member("b", 0), member("c", 1), member("d", 2)]
    return Pipeline(("one", "two", "three"), {j.name: j for j in jobs})


def sources(
    *, needs: Iterable[JobNeed] | None = None, dependencies: tuple[str, ...] | None = None
) -> tuple[str, ...]:
    config = JobConfig("x", AT, dependencies=dependencies)
    wanted = None if needs is None else tuple(needs)
    return artifact_sources(Job("x", config, 2, "on_success", needs=wanted), pipeline())


def test_artifacts_come_from_all_earlier_stages() -> None:
    assert sources() == ("a 1/2", "a 2/2", "b", "c")


def test_dependencies_choose_of_these() -> None:
    assert sources(dependencies=("a", "d")) == ("a 1/2", "a 2/2")
    assert sources(dependencies=("a 2/2",)) == ("a 2/2",)
    assert sources(dependencies=()) == ()


def test_needs_choose_instead_of_stages() -> None:
    needs = [JobNeed("d"), JobNeed("c", artifacts=False), JobNeed("b")]
    assert sources(needs=needs) == ("b", "d")
    assert sources(needs=needs, dependencies=("d", "c")) == ("d",)
    assert sources(needs=[]) == ()


def test_resource_groups_are_expanded() -> None:
    plain = JobConfig("a", AT, resource_group="production")
    named = JobConfig("b", AT, resource_group="$WHERE-$CI_COMMIT_REF_NAME")
    assert resource_group(job(plain), FACTS) == "production"
    made = job(named, Variable("WHERE", "staging"))
    assert resource_group(made, FACTS) == "staging-main"
    assert resource_group(made, FACTS, {"WHERE": Variable("WHERE", "here")}) == "here-main"
    assert resource_group(job(JobConfig("c", AT)), FACTS) == ""
