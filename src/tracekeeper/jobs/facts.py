"""What a job's variables are made of: plain facts about project, commit, pipeline and job."""

import msgspec

NO_SHA = "0" * 40


class GitFacts(msgspec.Struct, frozen=True):
    """The commit a pipeline runs for. `ref` is a branch or, with `is_tag`, a tag; `author` is
    ``Name <email>``; `timestamp` is the commit's date in ISO 8601, as git gives it."""

    sha: str
    ref: str
    is_tag: bool = False
    tag_message: str = ""
    before_sha: str = NO_SHA
    message: str = ""
    author: str = ""
    timestamp: str = ""
    default_branch: str = "main"
    protected: bool = False


class ProjectFacts(msgspec.Struct, frozen=True):
    """The project. `path` is its full path with all groups; `url` its page, without ``.git``."""

    path: str
    id: int = 1
    namespace_id: int = 1
    title: str = ""
    description: str = ""
    url: str = ""
    repository_url: str = ""
    visibility: str = "private"
    config_path: str = ".gitlab-ci.yml"


class ServerFacts(msgspec.Struct, frozen=True):
    """Who coordinates the jobs. `url` is its base URL without a final ``/``; `registry` is the
    host of its container registry."""

    url: str = "https://gitlab.com"
    name: str = "Tracekeeper"
    version: str = "0.0.0"
    registry: str = "registry.gitlab.com"


class UserFacts(msgspec.Struct, frozen=True):
    """Who started the pipeline."""

    id: int = 1
    login: str = ""
    name: str = ""
    email: str = ""


class PipelineFacts(msgspec.Struct, frozen=True):
    """One pipeline. `created_at` is in seconds since the epoch, `name` expanded."""

    git: GitFacts
    project: ProjectFacts
    id: int = 1
    iid: int = 1
    source: str = "push"
    name: str = ""
    created_at: int = 0
    server: ServerFacts = ServerFacts()
    user: UserFacts = UserFacts()


class JobFacts(msgspec.Struct, frozen=True):
    """One attempt at a job. `started_at` is in seconds since the epoch; `manual` says that a
    person started it; `architecture` is that of the runner, as in ``linux/amd64``."""

    id: int
    started_at: int = 0
    manual: bool = False
    token: str = ""
    runner_description: str = ""
    runner_version: str = ""
    architecture: str = ""
