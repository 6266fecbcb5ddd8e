import base64
import json
from typing import Any

import pytest

from tracekeeper.engine.credentials import (
    HUB_SERVER,
    Configuration,
    Helper,
    Login,
    from_pairs,
    helpers_answer,
    paths,
    registry_path,
)

SECRET = base64.b64encode(b"user:pass:word").decode()


def configuration(**auths: dict[str, str]) -> Configuration:
    return Configuration(json.dumps({"auths": auths}))


def decoded(login: object) -> Any:
    assert isinstance(login, Login)
    return json.loads(base64.urlsafe_b64decode(login.header))


def test_user_and_password_of_a_registry() -> None:
    login = configuration(**{"r.tld:5000": {"auth": SECRET}}).find("r.tld:5000")
    assert decoded(login) == {
        "username": "user",
        "password": "pass:word",
        "serveraddress": "r.tld:5000",
    }


def test_docker_hub_by_its_old_name() -> None:
    login = configuration(**{HUB_SERVER: {"username": "u", "password": "p"}}).find("docker.io")
    assert decoded(login) == {"username": "u", "password": "p", "serveraddress": HUB_SERVER}


def test_identity_token() -> None:
    login = configuration(**{"r.tld": {"identitytoken": "t"}}).find("r.tld")
    assert decoded(login)["identitytoken"] == "t"


def test_a_registry_that_is_not_there() -> None:
    assert configuration().find("r.tld") is None


def test_a_part_of_a_registry() -> None:
    config = configuration(**{"r.tld/group": {"auth": SECRET}})
    assert config.find("r.tld") is None
    assert config.find("r.tld/group") == Login("r.tld/group", "user", "pass:word")


def test_an_entry_that_a_helper_left_empty_is_none() -> None:
    assert configuration(**{"r.tld": {}}).find("r.tld") is None


def test_helpers_are_asked_for_what_they_are_named_for() -> None:
    text = {
        "auths": {"r.tld": {"auth": SECRET}, "s.tld": {"auth": SECRET}, HUB_SERVER: {}},
        "credHelpers": {"r.tld": "one"},
        "credsStore": "store",
    }
    config = Configuration(json.dumps(text))
    assert config.find("r.tld") == Helper("one", "r.tld")
    assert config.find("s.tld") == Login("s.tld", "user", "pass:word")
    assert config.find("t.tld") == Helper("store", "t.tld")
    assert config.find("t.tld/group") is None
    assert config.find("docker.io") == Helper("store", HUB_SERVER)


@pytest.mark.parametrize("name", ["", "../x", "/bin/x"])
def test_a_helper_is_a_program_of_the_path(name: str) -> None:
    config = Configuration(json.dumps({"credHelpers": {"r.tld": name}}))
    with pytest.raises(ValueError, match="is not a program's name"):
        config.find("r.tld")


@pytest.mark.parametrize("text", ["secret", "[]", '{"auths": {"r.tld": {"auth": "%secret"}}}'])
def test_what_is_no_configuration_is_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="it") as caught:
        Configuration(text).find("r.tld")
    assert "secret" not in str(caught.value)


def test_secrets_are_not_shown() -> None:
    assert "word" not in repr(Login("r.tld", "user", "word", "word"))


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("ruby:3", ["docker.io/ruby", "docker.io"]),
        ("me/ruby", ["docker.io/me/ruby", "docker.io/me", "docker.io"]),
        ("docker.io/me/ruby", ["docker.io/me/ruby", "docker.io/me", "docker.io"]),
        ("index.docker.io/me/ruby", ["docker.io/me/ruby", "docker.io/me", "docker.io"]),
        ("R.tld:5000/A/b@sha256:1", ["r.tld:5000/A/b", "r.tld:5000/A", "r.tld:5000"]),
        ("localhost/a", ["localhost/a", "localhost"]),
    ],
)
def test_where_credentials_for_an_image_may_be(image: str, expected: list[str]) -> None:
    assert list(paths(image)) == expected


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        (HUB_SERVER, "docker.io"),
        ("index.docker.io", "docker.io"),
        ("index.docker.io/v1/", "docker.io"),
        ("https://R.tld/v2/", "r.tld"),
        ("HTTP://r.tld:80", "r.tld:80"),
        ("r.tld/", "r.tld"),
        ("R.tld/Group/", "r.tld/Group"),
        ("r.tld/v1", "r.tld/v1"),
    ],
)
def test_one_name_for_each_registry(server: str, expected: str) -> None:
    assert registry_path(server) == expected


def test_logins_that_come_with_a_job() -> None:
    first, second = Login("https://r.tld", "a"), Login("r.tld", "b")
    assert from_pairs([first, second]) == {"r.tld": first}


def test_what_a_helper_answers() -> None:
    answer = b'{"ServerURL": "r.tld", "Username": "u", "Secret": "s"}'
    assert helpers_answer(answer, "r.tld") == Login("r.tld", "u", "s")
    token = b'{"Username": "<token>", "Secret": "s"}'
    assert helpers_answer(token, "r.tld") == Login("r.tld", identity_token="s")
    assert helpers_answer(b'{"Username": "u", "Secret": ""}', "r.tld") is None


def test_what_no_helper_answers_is_not_repeated() -> None:
    with pytest.raises(ValueError, match="not the JSON") as caught:
        helpers_answer(b"secret", "r.tld")
    assert "secret" not in str(caught.value)
