"""A pipeline's job as the payload that a runner gets.

The payload's variables are in order of strength, the strongest last, as GitLab sends them:
predefined, from the file, the user's, dotenv reports of earlier jobs, overrides.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from tracekeeper.jobs.caches import cache_specs
from tracekeeper.jobs.facts import JobFacts, PipelineFacts
from tracekeeper.jobs.predefined import (
    environment_variables,
    job_variables,
    pipeline_variables,
    user_variables,
)
from tracekeeper.pipeline.config import Artifacts, CacheKeyFiles, Image, Service, Variable
from tracekeeper.pipeline.pipeline import Job, Pipeline
from tracekeeper.pipeline.variables import expand, resolve
from tracekeeper.protocol.payload import (
    ArtifactSpec,
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

DEFAULT_TIMEOUT = 3600
"""Seconds a job may take where nothing says otherwise (GitLab's project default)."""

AFTER_SCRIPT_TIMEOUT = 300
"""Seconds an after_script may take (gitlab-runner's default)."""

_REPORT_NAMES = {"dotenv": ".env", "junit": "junit.xml", "metrics": "metrics.txt"}


def artifact_sources(job: Job, pipeline: Pipeline) -> tuple[str, ...]:
    """The jobs whose artifacts and dotenv variables `job` gets, in the pipeline's order.

    With `needs` these are the needed jobs whose artifacts are wanted, otherwise all jobs of
    earlier stages; `dependencies` leaves of these only the ones it names. The name of a parallel
    job stands for all its instances.
    """
    wanted = job.config.dependencies
    return tuple(
        other.name
        for other in _before(job, pipeline)
        if wanted is None or other.name in wanted or other.config.name in wanted
    )


def resource_group(
    job: Job, facts: PipelineFacts, overrides: Mapping[str, Variable] | None = None
) -> str:
    """The name of the job's resource group, expanded; empty if it has none. What is known only
    once the job has started (its id, dotenv variables) is not known here.

    Raises UsageError where the expansion of variables has no end.
    """
    name = job.config.resource_group
    if "$" not in name:
        return name
    return expand(name, resolve(_all_variables(job, facts, JobFacts(id=0), (), overrides or {})))


def build(
    job: Job,
    facts: PipelineFacts,
    run: JobFacts,
    *,
    digest: Callable[[CacheKeyFiles], str],
    dependencies: Sequence[Dependency] = (),
    dotenv: Iterable[Mapping[str, str]] = (),
    overrides: Mapping[str, Variable] | None = None,
) -> JobPayload:
    """The payload of one attempt at `job`.

    `dependencies` and `dotenv` are the kept artifacts and the dotenv variables of the jobs that
    `artifact_sources` names, in that order; `overrides` win over everything. `digest` is that of
    `cache_specs`. Raises UsageError where the expansion of variables has no end.
    """
    variables = _all_variables(job, facts, run, dotenv, overrides or {})
    values = resolve(variables)
    config = job.config
    timeout = config.timeout or DEFAULT_TIMEOUT
    return JobPayload(
        id=run.id,
        token=run.token,
        job_info=_job_info(job, facts, run),
        git_info=_git_info(facts),
        runner_info=RunnerInfo(timeout=timeout),
        variables=tuple(_payload_variable(variable) for variable in variables),
        steps=_steps(job, timeout),
        image=_image(config.image, values) if config.image else None,
        services=tuple(_service(service, values) for service in config.services),
        artifacts=_artifacts(config.artifacts) if config.artifacts else (),
        cache=cache_specs(config.cache, values, digest),
        dependencies=tuple(dependencies),
    )


def _before(job: Job, pipeline: Pipeline) -> list[Job]:
    if job.needs is None:
        return [j for j in pipeline.jobs.values() if j.stage_index < job.stage_index]
    wanted = {need.job for need in job.needs if need.artifacts}
    return [other for name, other in pipeline.jobs.items() if name in wanted]


def _all_variables(
    job: Job,
    facts: PipelineFacts,
    run: JobFacts,
    dotenv: Iterable[Mapping[str, str]],
    overrides: Mapping[str, Variable],
) -> list[Variable]:
    variables = [
        *job_variables(job, facts, run).values(),
        *pipeline_variables(facts).values(),
        *job.variables.values(),
        *user_variables(facts).values(),
        *(Variable(key, value) for report in dotenv for key, value in report.items()),
        *overrides.values(),
    ]
    if job.config.environment is None:
        return variables
    environment = environment_variables(job.config.environment, resolve(variables))
    return [*variables, *environment.values()]


def _payload_variable(variable: Variable) -> JobVariable:
    return JobVariable(
        key=variable.key,
        value=variable.value,
        public=variable.public,
        file=variable.file,
        masked=variable.masked,
        raw=variable.raw,
    )


def _job_info(job: Job, facts: PipelineFacts, run: JobFacts) -> JobInfo:
    return JobInfo(
        id=run.id,
        name=job.name,
        stage=job.stage,
        project_id=facts.project.id,
        project_name=facts.project.path.rpartition("/")[2],
        pipeline_id=facts.id,
    )


def _git_info(facts: PipelineFacts) -> GitInfo:
    return GitInfo(
        repo_url=facts.project.repository_url,
        ref=facts.git.ref,
        sha=facts.git.sha,
        before_sha=facts.git.before_sha,
        ref_type="tag" if facts.git.is_tag else "branch",
    )


def _steps(job: Job, timeout: int) -> tuple[Step, ...]:
    config = job.config
    script = Step("script", (*config.before_script, *config.script), timeout)
    if not config.after_script:
        return (script,)
    after = Step(
        "after_script",
        config.after_script,
        AFTER_SCRIPT_TIMEOUT,
        when="always",
        allow_failure=True,
    )
    return (script, after)


def _image(image: Image, values: Mapping[str, str]) -> ImageSpec:
    return ImageSpec(
        name=expand(image.name, values),
        entrypoint=image.entrypoint,
        pull_policy=image.pull_policy,
        executor_opts=_docker(image.platform, image.user, values),
    )


def _service(service: Service, values: Mapping[str, str]) -> ImageSpec:
    return ImageSpec(
        name=expand(service.name, values),
        alias=" ".join(expand(alias, values) for alias in service.aliases),
        entrypoint=service.entrypoint,
        command=service.command,
        variables=tuple(_payload_variable(v) for v in service.variables.values()),
        pull_policy=service.pull_policy,
        executor_opts=_docker(service.platform, service.user, values),
    )


def _docker(platform: str, user: str, values: Mapping[str, str]) -> ExecutorOptions:
    return ExecutorOptions(DockerOptions(expand(platform, values), expand(user, values)))


def _artifacts(artifacts: Artifacts) -> tuple[ArtifactSpec, ...]:
    """The archive, then each report: those are kept whether or not the job passed."""
    expire_in = "" if artifacts.expire_in is None else f"{artifacts.expire_in} seconds"
    reports = {"dotenv": artifacts.dotenv} | dict(artifacts.reports)
    specs = [
        ArtifactSpec(
            name=_REPORT_NAMES.get(kind, kind),
            paths=paths,
            when="always",
            artifact_type=kind,
            artifact_format="gzip",
            expire_in=expire_in,
        )
        for kind, paths in reports.items()
        if paths
    ]
    if not artifacts.paths and not artifacts.untracked:
        return tuple(specs)
    archive = ArtifactSpec(
        name=artifacts.name,
        untracked=artifacts.untracked,
        paths=artifacts.paths,
        exclude=artifacts.exclude,
        when=artifacts.when,
        expire_in=expire_in,
    )
    return (archive, *specs)
