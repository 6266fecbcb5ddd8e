"""Predefined variables, one pipeline at a time."""

import pytest

from tracekeeper.jobs.facts import (
    GitFacts,
    JobFacts,
    PipelineFacts,
    ProjectFacts,
    ServerFacts,
    UserFacts,
)
from tracekeeper.jobs.predefined import (
    MAX_MESSAGE,
    environment_variables,
    job_variables,
    pipeline_variables,
    user_variables,
)
from tracekeeper.pipeline.config import Environment, Image, JobConfig, Variable
from tracekeeper.pipeline.pipeline import Job
from tracekeeper.problems import Position

SHA = "0123456789abcdef0123456789abcdef01234567"
GIT = GitFacts(
    sha=SHA,
    ref="feature/New_Thing",
    message="Add $HOME\n\nBecause.\n",
    author="Ann <ann@example.com>",
    timestamp="2026-11-23T02:29:16+01:00",
)
PROJECT = ProjectFacts(
    path="Group/sub/My_App", url="https://git.example.com:8443/Group/sub/My_App", id=7
)
FACTS = PipelineFacts(
    git=GIT,
    project=PROJECT,
    id=12,
    iid=3,
    created_at=1_795_400_956,
    server=ServerFacts(url="https://git.example.com:8443", version="1.2"),
    user=UserFacts(5, "ann", "Ann", "ann@example.com"),
)


def values(variables: dict[str, Variable]) -> dict[str, str]:
    assert all(key == variable.key for key, variable in variables.items())
    return {key: variable.value for key, variable in variables.items()}


def test_pipeline_variables() -> None:
    assert values(pipeline_variables(FACTS)) == {
        "CI": "true",
        "GITLAB_CI": "true",
        "CI_SERVER": "yes",
        "CI_SERVER_NAME": "Tracekeeper",
        "CI_SERVER_URL": "https://git.example.com:8443",
        "CI_SERVER_HOST": "git.example.com",
        "CI_SERVER_PORT": "8443",
        "CI_SERVER_FQDN": "git.example.com:8443",
        "CI_SERVER_PROTOCOL": "https",
        "CI_SERVER_VERSION": "1.2",
        "CI_SERVER_VERSION_MAJOR": "1",
        "CI_SERVER_VERSION_MINOR": "2",
        "CI_SERVER_VERSION_PATCH": "0",
        "CI_SERVER_SHELL_SSH_HOST": "git.example.com",
        "CI_SERVER_SHELL_SSH_PORT": "22",
        "CI_TEMPLATE_REGISTRY_HOST": "registry.gitlab.com",
        "CI_REGISTRY": "registry.gitlab.com",
        "CI_REGISTRY_IMAGE": "registry.gitlab.com/group/sub/my_app",
        "CI_API_V4_URL": "https://git.example.com:8443/api/v4",
        "CI_API_GRAPHQL_URL": "https://git.example.com:8443/api/graphql",
        "CI_PROJECT_ID": "7",
        "CI_PROJECT_NAME": "My_App",
        "CI_PROJECT_TITLE": "My_App",
        "CI_PROJECT_DESCRIPTION": "",
        "CI_PROJECT_PATH": "Group/sub/My_App",
        "CI_PROJECT_PATH_SLUG": "group-sub-my-app",
        "CI_PROJECT_NAMESPACE": "Group/sub",
        "CI_PROJECT_NAMESPACE_SLUG": "group-sub",
        "CI_PROJECT_NAMESPACE_ID": "1",
        "CI_PROJECT_ROOT_NAMESPACE": "Group",
        "CI_PROJECT_URL": "https://git.example.com:8443/Group/sub/My_App",
        "CI_PROJECT_VISIBILITY": "private",
        "CI_CONFIG_PATH": ".gitlab-ci.yml",
        "CI_DEFAULT_BRANCH": "main",
        "CI_DEFAULT_BRANCH_SLUG": "main",
        "CI_COMMIT_SHA": SHA,
        "CI_COMMIT_SHORT_SHA": "01234567",
        "CI_COMMIT_BEFORE_SHA": "0" * 40,
        "CI_COMMIT_REF_NAME": "feature/New_Thing",
        "CI_COMMIT_REF_SLUG": "feature-new-thing",
        "CI_COMMIT_REF_PROTECTED": "false",
        "CI_COMMIT_MESSAGE": "Add $HOME\n\nBecause.\n",
        "CI_COMMIT_MESSAGE_IS_TRUNCATED": "false",
        "CI_COMMIT_TITLE": "Add $HOME",
        "CI_COMMIT_DESCRIPTION": "\nBecause.\n",
        "CI_COMMIT_TIMESTAMP": "2026-11-23T02:29:16+01:00",
        "CI_COMMIT_AUTHOR": "Ann <ann@example.com>",
        "CI_COMMIT_BRANCH": "feature/New_Thing",
        "CI_PIPELINE_IID": "3",
        "CI_PIPELINE_SOURCE": "push",
        "CI_PIPELINE_CREATED_AT": "2026-11-23T02:29:16Z",
    }


def test_facts_are_never_expanded() -> None:
    assert all(variable.raw for variable in pipeline_variables(FACTS).values())


def test_a_tag() -> None:
    git = GitFacts(sha=SHA, ref="v1.0", is_tag=True, tag_message="First")
    found = values(pipeline_variables(PipelineFacts(git, PROJECT, name="release")))
    assert found["CI_COMMIT_TAG"] == "v1.0"
    assert found["CI_COMMIT_TAG_MESSAGE"] == "First"
    assert found["CI_PIPELINE_NAME"] == "release"
    assert "CI_COMMIT_BRANCH" not in found


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://gitlab.com", "gitlab.com", "443"),
        ("http://git.example.com/gitlab", "git.example.com", "80"),
    ],
)
def test_servers(url: str, host: str, port: str) -> None:
    found = values(pipeline_variables(PipelineFacts(GIT, PROJECT, server=ServerFacts(url))))
    assert (found["CI_SERVER_HOST"], found["CI_SERVER_PORT"]) == (host, port)


def test_a_project_without_a_group() -> None:
    found = values(pipeline_variables(PipelineFacts(GIT, ProjectFacts("app", title="App"))))
    assert (found["CI_PROJECT_NAME"], found["CI_PROJECT_NAMESPACE"]) == ("app", "")
    assert found["CI_PROJECT_TITLE"] == "App"


def test_long_messages() -> None:
    titled = GitFacts(sha=SHA, ref="main", message="t" * 100 + "\nbody")
    found = values(pipeline_variables(PipelineFacts(titled, PROJECT)))
    assert found["CI_COMMIT_DESCRIPTION"] == "t" * 100 + "\nbody"
    long = GitFacts(sha=SHA, ref="main", message="é" * MAX_MESSAGE)
    found = values(pipeline_variables(PipelineFacts(long, PROJECT)))
    assert found["CI_COMMIT_MESSAGE"] == "é" * (MAX_MESSAGE // 2)
    assert found["CI_COMMIT_MESSAGE_IS_TRUNCATED"] == "true"


def test_user_variables() -> None:
    assert values(user_variables(FACTS)) == {
        "GITLAB_USER_ID": "5",
        "GITLAB_USER_LOGIN": "ann",
        "GITLAB_USER_NAME": "Ann",
        "GITLAB_USER_EMAIL": "ann@example.com",
    }


def job(name: str = "unit tests") -> Job:
    config = JobConfig(name=name, at=Position("f", 1, 1), tags=("a", "b"), image=Image("py:$V"))
    return Job(name=name, config=config, stage_index=0, when="on_success")


def test_job_variables() -> None:
    run = JobFacts(34, 1_795_400_957, False, "token", "laptop", "1.0", "linux/amd64")
    found = job_variables(job(), FACTS, run)
    assert values(found) == {
        "CI_PIPELINE_ID": "12",
        "CI_PIPELINE_URL": "https://git.example.com:8443/Group/sub/My_App/-/pipelines/12",
        "CI_JOB_ID": "34",
        "CI_JOB_URL": "https://git.example.com:8443/Group/sub/My_App/-/jobs/34",
        "CI_JOB_TOKEN": "token",
        "CI_JOB_STARTED_AT": "2026-11-23T02:29:17Z",
        "CI_JOB_NAME": "unit tests",
        "CI_JOB_NAME_SLUG": "unit-tests",
        "CI_JOB_GROUP_NAME": "unit tests",
        "CI_JOB_STAGE": "test",
        "CI_NODE_TOTAL": "1",
        "CI_REPOSITORY_URL": "",
        "CI_RUNNER_ID": "1",
        "CI_RUNNER_DESCRIPTION": "laptop",
        "CI_RUNNER_TAGS": '["a", "b"]',
        "CI_RUNNER_VERSION": "1.0",
        "CI_RUNNER_EXECUTABLE_ARCH": "linux/amd64",
        "CI_JOB_IMAGE": "py:$V",
    }
    assert not found["CI_JOB_IMAGE"].raw


def test_a_parallel_manual_job_without_an_image() -> None:
    config = JobConfig(name="b", at=Position("f", 1, 1))
    parallel = Job("b 2/3", config, 0, "manual", node_index=2, node_total=3)
    found = values(job_variables(parallel, FACTS, JobFacts(1, manual=True)))
    assert (found["CI_NODE_INDEX"], found["CI_NODE_TOTAL"]) == ("2", "3")
    assert found["CI_JOB_GROUP_NAME"] == "b"
    assert found["CI_JOB_MANUAL"] == "true"
    assert "CI_JOB_IMAGE" not in found


def test_environment_variables() -> None:
    review = Environment(name="review/$REF", url="https://$CI_ENVIRONMENT_SLUG.example.com")
    found = environment_variables(review, {"REF": "x"})
    assert values(found) == {
        "CI_ENVIRONMENT_NAME": "review/x",
        "CI_ENVIRONMENT_SLUG": "review-x-n5c54v",
        "CI_ENVIRONMENT_ACTION": "start",
        "CI_ENVIRONMENT_TIER": "development",
        "CI_ENVIRONMENT_URL": "https://$CI_ENVIRONMENT_SLUG.example.com",
    }
    assert not found["CI_ENVIRONMENT_URL"].raw


def test_an_environment_without_a_url() -> None:
    found = values(environment_variables(Environment("live", deployment_tier="other"), {}))
    assert found["CI_ENVIRONMENT_TIER"] == "other"
    assert "CI_ENVIRONMENT_URL" not in found
