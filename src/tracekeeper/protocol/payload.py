"""The job payload: all that a runner is told about one job.

Shape and field names are those of GitLab's Runner API (``POST /api/v4/jobs/request``, 201).
`tracekeeper run` hands the same structure to the runner's code in-process.
"""

from typing import Literal, TypeAlias

import msgspec

ArtifactsWhen: TypeAlias = Literal["on_success", "on_failure", "always"]


class JobVariable(msgspec.Struct, frozen=True):
    """A variable as the runner gets it; of two with one key the later wins."""

    key: str
    value: str
    public: bool = True
    file: bool = False
    masked: bool = False
    raw: bool = False


class Step(msgspec.Struct, frozen=True):
    """One script: `name` is ``script`` or ``after_script``, `timeout` is in seconds."""

    name: str
    script: tuple[str, ...]
    timeout: int
    when: ArtifactsWhen = "on_success"
    allow_failure: bool = False


class DockerOptions(msgspec.Struct, frozen=True):
    """``executor_opts.docker`` of an image."""

    platform: str = ""
    user: str = ""


class ExecutorOptions(msgspec.Struct, frozen=True):
    """``executor_opts`` of an image."""

    docker: DockerOptions = DockerOptions()


class ImageSpec(msgspec.Struct, frozen=True):
    """An image or a service. `entrypoint` and `command` None leave the image's own in place."""

    name: str
    alias: str = ""
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    variables: tuple[JobVariable, ...] = ()
    pull_policy: tuple[str, ...] = ()
    executor_opts: ExecutorOptions = ExecutorOptions()


class ArtifactSpec(msgspec.Struct, frozen=True):
    """One upload after the job. `artifact_type` is ``archive`` or a report's type."""

    name: str = ""
    untracked: bool = False
    paths: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    when: ArtifactsWhen = "on_success"
    artifact_type: str = "archive"
    artifact_format: str = "zip"
    expire_in: str = ""


class CacheSpec(msgspec.Struct, frozen=True):
    """One cache: restored before the job by `key`, else by the first of `fallback_keys`."""

    key: str
    paths: tuple[str, ...] = ()
    untracked: bool = False
    policy: str = "pull-push"
    when: ArtifactsWhen = "on_success"
    fallback_keys: tuple[str, ...] = ()


class Dependency(msgspec.Struct, frozen=True):
    """A job whose artifacts are fetched before this one runs."""

    id: int
    name: str
    token: str = ""


class JobInfo(msgspec.Struct, frozen=True):
    """``job_info``."""

    id: int
    name: str
    stage: str
    project_id: int = 0
    project_name: str = ""
    pipeline_id: int = 0


class GitInfo(msgspec.Struct, frozen=True):
    """``git_info``."""

    repo_url: str = ""
    ref: str = ""
    sha: str = ""
    before_sha: str = ""
    ref_type: Literal["branch", "tag"] = "branch"
    refspecs: tuple[str, ...] = ()
    depth: int = 0


class RunnerInfo(msgspec.Struct, frozen=True):
    """``runner_info``; `timeout` is the job's own, in seconds."""

    timeout: int = 3600


class Credentials(msgspec.Struct, frozen=True):
    """A login that comes with a job; of `type` ``registry`` for a registry at `url`."""

    type: str
    url: str
    username: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"Credentials({self.type!r}, {self.url!r})"


class Features(msgspec.Struct, frozen=True):
    """``features`` of a job."""

    trace_sections: bool = True
    token_mask_prefixes: tuple[str, ...] = ()
    failure_reasons: tuple[str, ...] = ()


class JobPayload(msgspec.Struct, frozen=True):
    """Everything a runner needs to run one job. Variables come unexpanded, strongest last."""

    id: int
    token: str
    job_info: JobInfo
    variables: tuple[JobVariable, ...]
    steps: tuple[Step, ...]
    git_info: GitInfo = GitInfo()
    runner_info: RunnerInfo = RunnerInfo()
    image: ImageSpec | None = None
    services: tuple[ImageSpec, ...] = ()
    artifacts: tuple[ArtifactSpec, ...] = ()
    cache: tuple[CacheSpec, ...] = ()
    credentials: tuple[Credentials, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    features: Features = Features()
