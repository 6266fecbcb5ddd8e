"""What a job may ask for where the configuration limits it. Pure.

Source: GitLab Runner docs, "Restrict Docker images and services", "Allow Docker pull policies",
and "The `[runners.docker]` section" for users and privileged images.
"""

from collections.abc import Collection, Iterable, Sequence

from tracekeeper.errors import JobError, WorkspaceError
from tracekeeper.runner.docker.config import DockerConfig, PullPolicy
from tracekeeper.workspace.patterns import compile_glob, expand_braces

POLICIES = ("always", "if-not-present", "never")


def any_matches(patterns: Iterable[str], image: str) -> bool:
    """Whether one of the patterns (``ruby:*``, ``registry/**``) matches an image's whole name.
    One that is no pattern matches nothing."""
    return any(_matches(pattern, image) for pattern in patterns)


def _matches(pattern: str, image: str) -> bool:
    try:
        return any(compile_glob(glob).fullmatch(image) for glob in expand_braces(pattern))
    except WorkspaceError:
        return False


def check_allowed(image: str, key: str, patterns: Sequence[str], own: Collection[str]) -> None:
    """Raises JobError for an image that the list `key` leaves out; the configuration's `own`
    images may always be used."""
    if not patterns or image in own or any_matches(patterns, image):
        return
    raise _refused(
        f"image {image} is not one of {key} in [runners.docker]",
        f"these are: {', '.join(patterns)}",
    )


def is_privileged(config: DockerConfig, image: str) -> bool:
    """Whether a job's container has all rights."""
    allowed = config.allowed_privileged_images
    return config.privileged and (not allowed or any_matches(allowed, image))


def is_privileged_service(config: DockerConfig, image: str) -> bool:
    """Whether a service has all rights."""
    own = config.services_privileged
    wanted = config.privileged if own is None else own
    allowed = config.allowed_privileged_services
    return wanted and (not allowed or any_matches(allowed, image))


def chosen_user(config: DockerConfig, asked: str) -> str:
    """The user of a job's container; `asked` is the job's own wish. Raises JobError."""
    user = config.user or asked
    allowed = config.allowed_users or ((config.user,) if config.user else ())
    if not user or not allowed or user in allowed:
        return user
    raise _refused(
        f"user {user} is not one of allowed_users in [runners.docker]",
        f"these are: {', '.join(allowed)}",
    )


def pull_policies(
    config: DockerConfig, image: str, asked: Sequence[str], default: Sequence[str]
) -> tuple[str, ...]:
    """How an image is obtained: what the job asks for, else the configuration, else `default`,
    as far as it is allowed. Raises JobError where nothing of it is, or it is no policy."""
    policies = tuple(asked or config.pull_policies or default)
    for policy in policies:
        if policy not in POLICIES:
            raise _refused(
                f"image {image} has the unknown pull policy {policy!r}",
                "use always, if-not-present or never",
            )
    allowed: Sequence[PullPolicy] = config.allowed_pull_policies or config.pull_policies
    kept = tuple(policy for policy in policies if not allowed or policy in allowed)
    if kept:
        return kept
    raise _refused(
        f"image {image} has the pull policy {' or '.join(policies)}, which is not one of "
        f"{'allowed_pull_policies' if config.allowed_pull_policies else 'pull_policy'} "
        "in [runners.docker]",
        f"these are: {', '.join(allowed)}",
    )


def check_services(config: DockerConfig, count: int) -> None:
    """Raises JobError for more services than `services_limit`."""
    limit = -1 if config.services_limit is None else config.services_limit
    if 0 <= limit < count:
        raise _refused(
            f"the job has {count} services, and services_limit in [runners.docker] is {limit}",
            "leave services out, or raise the limit",
        )


def _refused(message: str, hint: str) -> JobError:
    return JobError(message, reason="runner_configuration_error", hint=hint)
