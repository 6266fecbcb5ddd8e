import pytest

from tracekeeper.errors import JobError
from tracekeeper.runner.docker import policy
from tracekeeper.runner.docker.config import DockerConfig, PullPolicy


@pytest.mark.parametrize(
    ("pattern", "image", "expected"),
    [
        ("ruby:*", "ruby:3.3", True),
        ("ruby:*", "ruby", False),
        ("ruby:*", "my/ruby:3", False),
        ("*", "ruby:3", True),
        ("*", "my/ruby:3", False),
        ("**", "r.example:5000/a/b:1", True),
        ("r.example/**", "r.example/a/b:1", True),
        ("r.example/*:1", "r.example/a/b:1", False),
        ("{ruby,python}:3*", "python:3.12", True),
        ("ruby:[12]", "ruby:3", False),
        ("ruby:[12", "ruby:1", False),
        ("$IMAGE", "ruby", False),
    ],
)
def test_patterns_of_images(pattern: str, image: str, expected: bool) -> None:
    assert policy.any_matches(["no", pattern], image) is expected


def test_images_that_are_allowed() -> None:
    policy.check_allowed("any", "allowed_images", (), ())
    policy.check_allowed("own:1", "allowed_images", ("ruby:*",), ("own:1",))
    policy.check_allowed("ruby:1", "allowed_images", ("ruby:*",), ())
    with pytest.raises(JobError, match="python:1 is not one of allowed_images") as caught:
        policy.check_allowed("python:1", "allowed_images", ("ruby:*", "go:*"), ())
    assert caught.value.hint == "these are: ruby:*, go:*"
    assert caught.value.reason == "runner_configuration_error"


@pytest.mark.parametrize(
    ("config", "job", "service"),
    [
        (DockerConfig(), False, False),
        (DockerConfig(privileged=True), True, True),
        (DockerConfig(privileged=True, services_privileged=False), True, False),
        (DockerConfig(services_privileged=True), False, True),
        (DockerConfig(privileged=True, allowed_privileged_images=("docker:*",)), False, True),
        (DockerConfig(privileged=True, allowed_privileged_images=("ruby:*",)), True, True),
        (DockerConfig(privileged=True, allowed_privileged_services=("docker:*",)), True, False),
        (DockerConfig(privileged=True, allowed_privileged_services=("ruby:*",)), True, True),
    ],
)
def test_who_has_all_rights(config: DockerConfig, job: bool, service: bool) -> None:
    assert policy.is_privileged(config, "ruby:3") is job
    assert policy.is_privileged_service(config, "ruby:3") is service


@pytest.mark.parametrize(
    ("config", "asked", "expected"),
    [
        (DockerConfig(), "", ""),
        (DockerConfig(), "me", "me"),
        (DockerConfig(user="op"), "", "op"),
        (DockerConfig(user="op"), "me", "op"),
        (DockerConfig(allowed_users=("me",)), "me", "me"),
        (DockerConfig(allowed_users=("me",)), "", ""),
    ],
)
def test_users(config: DockerConfig, asked: str, expected: str) -> None:
    assert policy.chosen_user(config, asked) == expected


@pytest.mark.parametrize(
    ("config", "asked"),
    [
        (DockerConfig(allowed_users=("me", "op")), "root"),
        (DockerConfig(user="root", allowed_users=("me", "op")), "me"),
    ],
)
def test_users_that_are_not_allowed(config: DockerConfig, asked: str) -> None:
    with pytest.raises(JobError, match="user root is not one of allowed_users") as caught:
        policy.chosen_user(config, asked)
    assert caught.value.hint == "these are: me, op"


@pytest.mark.parametrize(
    ("own", "allowed", "asked", "expected"),
    [
        ((), (), (), ("default",)),
        ("never", (), (), ("never",)),
        (("always", "never"), (), (), ("always", "never")),
        ((), (), ("always",), ("always",)),
        (("always", "never"), (), ("never",), ("never",)),
        (("always",), ("never", "if-not-present"), ("never", "always"), ("never",)),
    ],
)
def test_pull_policies(
    own: PullPolicy | tuple[PullPolicy, ...],
    allowed: tuple[PullPolicy, ...],
    asked: tuple[str, ...],
    expected: tuple[str, ...],
) -> None:
    config = DockerConfig(pull_policy=own, allowed_pull_policies=allowed)
    default = "if-not-present" if expected == ("default",) else "never"
    expected = (default,) if expected == ("default",) else expected
    assert policy.pull_policies(config, "image", asked, (default,)) == expected


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (DockerConfig(pull_policy="never"), "which is not one of pull_policy in"),
        (DockerConfig(allowed_pull_policies=("never",)), "not one of allowed_pull_policies in"),
    ],
)
def test_pull_policies_that_are_not_allowed(config: DockerConfig, sentence: str) -> None:
    with pytest.raises(JobError, match=sentence) as caught:
        policy.pull_policies(config, "image", ("always",), ())
    assert caught.value.hint == "these are: never"


def test_what_is_no_pull_policy() -> None:
    with pytest.raises(JobError, match="unknown pull policy 'sometimes'"):
        policy.pull_policies(DockerConfig(), "image", ("sometimes",), ())


@pytest.mark.parametrize("limit", [None, -1, 2, 3])
def test_services_within_their_limit(limit: int | None) -> None:
    policy.check_services(DockerConfig(services_limit=limit), 2)


@pytest.mark.parametrize("limit", [0, 1])
def test_too_many_services(limit: int) -> None:
    with pytest.raises(JobError, match=f"has 2 services, and services_limit .* is {limit}"):
        policy.check_services(DockerConfig(services_limit=limit), 2)
