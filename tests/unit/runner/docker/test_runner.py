from typing import Any

import pytest

from tracekeeper.runner.docker.runner import auth_of, unknown, warnings_of

NOT_ACTED_ON = "known, not acted on: {} in [[runners]]; it is the runner's"


@pytest.mark.parametrize(
    ("environment", "auth"),
    [
        (None, ""),
        ("DOCKER_AUTH_CONFIG=1", ""),
        ([3, "A=b"], ""),
        (["DOCKER_AUTH_CONFIG=1", "DOCKER_AUTH_CONFIG={a=b}"], "{a=b}"),
    ],
)
def test_credentials_in_the_environment(environment: object, auth: str) -> None:
    assert auth_of(environment) == auth


@pytest.mark.parametrize(
    ("runner", "has_auth", "sentences"),
    [
        ({"docker": {}, "executor": "docker", "token": "x", "tls-ca-file": "y"}, False, []),
        ({"shell": "bash", "pre_build_script": ""}, False, [NOT_ACTED_ON.format("shell")]),
        ({"shell": "bash"}, True, [NOT_ACTED_ON.format("shell")]),
        ({"environment": ["A=b"]}, False, [NOT_ACTED_ON.format("environment")]),
        ({"environment": ["DOCKER_AUTH_CONFIG=1"]}, True, []),
        (
            {"environment": ["DOCKER_AUTH_CONFIG=1", "A=b"]},
            True,
            ["of environment in [[runners]] only DOCKER_AUTH_CONFIG is acted on"],
        ),
        (
            {"exekutor": "docker", "builds-dir": "/b", "qqqq": 1},
            False,
            [
                "unknown key exekutor in [[runners]]; did you mean `executor`?",
                "unknown key builds-dir in [[runners]]; did you mean `builds_dir`?",
                "unknown key qqqq in [[runners]]",
            ],
        ),
    ],
)
def test_keys_of_the_runner(runner: dict[str, Any], has_auth: bool, sentences: list[str]) -> None:
    assert list(warnings_of(runner, has_auth=has_auth)) == sentences


def test_an_unknown_key() -> None:
    assert (
        unknown("memry", "[x]", ("memory",)) == "unknown key memry in [x]; did you mean `memory`?"
    )
    assert unknown("memry", "[x]", ()) == "unknown key memry in [x]"
