"""The ``CI_*`` variables that GitLab predefines and that mean something without a GitLab.

Source: https://docs.gitlab.com/ci/variables/predefined_variables/. Left out are those of the
dependency proxy, pages, merge requests, triggers and deploy tokens, and all credentials. What
only the runner knows (CI_PROJECT_DIR, CI_JOB_STATUS…) it adds itself.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from tracekeeper.jobs.facts import GitFacts, JobFacts, PipelineFacts, ProjectFacts, ServerFacts
from tracekeeper.jobs.slugs import deployment_tier, environment_slug, group_name, slug
from tracekeeper.pipeline.config import Environment, Variable
from tracekeeper.pipeline.pipeline import Job
from tracekeeper.pipeline.variables import expand

MAX_MESSAGE = 100_000
"""Bytes of CI_COMMIT_MESSAGE; a longer one is cut, as GitLab does."""

_TEMPLATE_REGISTRY = "registry.gitlab.com"
_URL_PORTS = {"http": "80", "https": "443"}


def pipeline_variables(facts: PipelineFacts) -> dict[str, Variable]:
    """What is known before any job: for ``include``, ``workflow: rules`` and ``rules``."""
    pairs: list[tuple[str, str]] = [
        ("CI", "true"),
        ("GITLAB_CI", "true"),
        *_server(facts.server),
        *_project(facts.project, facts.git),
        ("CI_REGISTRY", facts.server.registry),
        ("CI_REGISTRY_IMAGE", f"{facts.server.registry}/{facts.project.path.lower()}"),
        *_commit(facts.git),
        ("CI_PIPELINE_IID", str(facts.iid)),
        ("CI_PIPELINE_SOURCE", facts.source),
        ("CI_PIPELINE_CREATED_AT", _iso8601(facts.created_at)),
    ]
    if facts.name:
        pairs.append(("CI_PIPELINE_NAME", facts.name))
    return _variables(pairs)


def user_variables(facts: PipelineFacts) -> dict[str, Variable]:
    """``GITLAB_USER_*``, which GitLab lets win over variables of the file."""
    user = facts.user
    return _variables(
        [
            ("GITLAB_USER_ID", str(user.id)),
            ("GITLAB_USER_LOGIN", user.login),
            ("GITLAB_USER_NAME", user.name),
            ("GITLAB_USER_EMAIL", user.email),
        ]
    )


def job_variables(job: Job, facts: PipelineFacts, run: JobFacts) -> dict[str, Variable]:
    """What is known when a job starts, besides its pipeline's and its environment's variables."""
    page = f"{facts.project.url}/-"
    pairs = [
        ("CI_PIPELINE_ID", str(facts.id)),
        ("CI_PIPELINE_URL", f"{page}/pipelines/{facts.id}"),
        ("CI_JOB_ID", str(run.id)),
        ("CI_JOB_URL", f"{page}/jobs/{run.id}"),
        ("CI_JOB_TOKEN", run.token),
        ("CI_JOB_STARTED_AT", _iso8601(run.started_at)),
        ("CI_JOB_NAME", job.name),
        ("CI_JOB_NAME_SLUG", slug(job.name)),
        ("CI_JOB_GROUP_NAME", group_name(job.name)),
        ("CI_JOB_STAGE", job.stage),
        ("CI_NODE_TOTAL", str(job.node_total or 1)),
        ("CI_REPOSITORY_URL", facts.project.repository_url),
        ("CI_RUNNER_ID", "1"),
        ("CI_RUNNER_DESCRIPTION", run.runner_description),
        ("CI_RUNNER_TAGS", "[" + ", ".join(f'"{tag}"' for tag in job.config.tags) + "]"),
        ("CI_RUNNER_VERSION", run.runner_version),
        ("CI_RUNNER_EXECUTABLE_ARCH", run.architecture),
    ]
    if job.node_index:
        pairs.append(("CI_NODE_INDEX", str(job.node_index)))
    if run.manual:
        pairs.append(("CI_JOB_MANUAL", "true"))
    return _variables(pairs) | _image(job)


def environment_variables(
    environment: Environment, values: Mapping[str, str]
) -> dict[str, Variable]:
    """``CI_ENVIRONMENT_*``. `values` are the job's other variables, for the environment's name.
    The URL stays as written: it may refer to what only the job finds out."""
    name = expand(environment.name, values)
    pairs = [
        ("CI_ENVIRONMENT_NAME", name),
        ("CI_ENVIRONMENT_SLUG", environment_slug(name)),
        ("CI_ENVIRONMENT_ACTION", environment.action),
        ("CI_ENVIRONMENT_TIER", environment.deployment_tier or deployment_tier(name)),
    ]
    url = Variable("CI_ENVIRONMENT_URL", environment.url)
    return _variables(pairs) | ({url.key: url} if url.value else {})


def _variables(pairs: Iterable[tuple[str, str]]) -> dict[str, Variable]:
    """Facts, not templates: a ``$`` in a commit's message is only that."""
    return {key: Variable(key, value, raw=True) for key, value in pairs}


def _image(job: Job) -> dict[str, Variable]:
    image = job.config.image
    return {"CI_JOB_IMAGE": Variable("CI_JOB_IMAGE", image.name)} if image else {}


def _server(server: ServerFacts) -> list[tuple[str, str]]:
    scheme, _, rest = server.url.partition("://")
    authority = rest.partition("/")[0]
    host, _, port = authority.partition(":")
    major, minor, patch = (*server.version.split(".", 2), "0", "0")[:3]
    return [
        ("CI_SERVER", "yes"),
        ("CI_SERVER_NAME", server.name),
        ("CI_SERVER_URL", server.url),
        ("CI_SERVER_HOST", host),
        ("CI_SERVER_PORT", port or _URL_PORTS.get(scheme, "")),
        ("CI_SERVER_FQDN", authority),
        ("CI_SERVER_PROTOCOL", scheme),
        ("CI_SERVER_VERSION", server.version),
        ("CI_SERVER_VERSION_MAJOR", major),
        ("CI_SERVER_VERSION_MINOR", minor),
        ("CI_SERVER_VERSION_PATCH", patch),
        ("CI_SERVER_SHELL_SSH_HOST", host),
        ("CI_SERVER_SHELL_SSH_PORT", "22"),
        ("CI_TEMPLATE_REGISTRY_HOST", _TEMPLATE_REGISTRY),
        ("CI_API_V4_URL", f"{server.url}/api/v4"),
        ("CI_API_GRAPHQL_URL", f"{server.url}/api/graphql"),
    ]


def _project(project: ProjectFacts, git: GitFacts) -> list[tuple[str, str]]:
    namespace, _, name = project.path.rpartition("/")
    return [
        ("CI_PROJECT_ID", str(project.id)),
        ("CI_PROJECT_NAME", name),
        ("CI_PROJECT_TITLE", project.title or name),
        ("CI_PROJECT_DESCRIPTION", project.description),
        ("CI_PROJECT_PATH", project.path),
        ("CI_PROJECT_PATH_SLUG", slug(project.path)),
        ("CI_PROJECT_NAMESPACE", namespace),
        ("CI_PROJECT_NAMESPACE_SLUG", slug(namespace)),
        ("CI_PROJECT_NAMESPACE_ID", str(project.namespace_id)),
        ("CI_PROJECT_ROOT_NAMESPACE", namespace.partition("/")[0]),
        ("CI_PROJECT_URL", project.url),
        ("CI_PROJECT_VISIBILITY", project.visibility),
        ("CI_CONFIG_PATH", project.config_path),
        ("CI_DEFAULT_BRANCH", git.default_branch),
        ("CI_DEFAULT_BRANCH_SLUG", slug(git.default_branch)),
    ]


def _commit(git: GitFacts) -> list[tuple[str, str]]:
    title, _, body = git.message.partition("\n")
    message = _cut(git.message)
    return [
        ("CI_COMMIT_SHA", git.sha),
        ("CI_COMMIT_SHORT_SHA", git.sha[:8]),
        ("CI_COMMIT_BEFORE_SHA", git.before_sha),
        ("CI_COMMIT_REF_NAME", git.ref),
        ("CI_COMMIT_REF_SLUG", slug(git.ref)),
        ("CI_COMMIT_REF_PROTECTED", str(git.protected).lower()),
        ("CI_COMMIT_MESSAGE", message),
        ("CI_COMMIT_MESSAGE_IS_TRUNCATED", str(message != git.message).lower()),
        ("CI_COMMIT_TITLE", _cut(title)),
        ("CI_COMMIT_DESCRIPTION", _cut(body if len(title) < 100 else git.message)),
        ("CI_COMMIT_TIMESTAMP", git.timestamp),
        ("CI_COMMIT_AUTHOR", git.author),
        *_ref(git),
    ]


def _ref(git: GitFacts) -> list[tuple[str, str]]:
    if not git.is_tag:
        return [("CI_COMMIT_BRANCH", git.ref)]
    return [("CI_COMMIT_TAG", git.ref), ("CI_COMMIT_TAG_MESSAGE", git.tag_message)]


def _cut(text: str) -> str:
    data = text.encode("utf-8", "surrogateescape")
    return text if len(data) <= MAX_MESSAGE else data[:MAX_MESSAGE].decode("utf-8", "ignore")


def _iso8601(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
