import base64
import json
from typing import Any

import pytest

from tracekeeper.engine.credentials import registry_auth

SECRET = base64.b64encode(b"user:pass:word").decode()


def config(**auths: dict[str, str]) -> str:
    return json.dumps({"auths": auths, "credsStore": "x"})


def decoded(header: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(header))


def test_user_and_password_of_a_registry() -> None:
    header = registry_auth(config(**{"r.tld:5000": {"auth": SECRET}}), "r.tld:5000")
    assert decoded(header) == {
        "username": "user",
        "password": "pass:word",
        "serveraddress": "r.tld:5000",
    }


def test_docker_hub_by_its_old_name() -> None:
    name = "https://index.docker.io/v1/"
    header = registry_auth(config(**{name: {"username": "u", "password": "p"}}), "docker.io")
    assert decoded(header) == {"username": "u", "password": "p", "serveraddress": name}


def test_identity_token() -> None:
    header = registry_auth(config(**{"r.tld": {"identitytoken": "t"}}), "r.tld")
    assert decoded(header)["identitytoken"] == "t"


def test_a_registry_that_is_not_there() -> None:
    assert registry_auth(config(), "r.tld") == ""


@pytest.mark.parametrize("text", ["secret", "[]", '{"auths": {"r.tld": {"auth": "%secret"}}}'])
def test_what_is_no_configuration_is_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="it") as caught:
        registry_auth(text, "r.tld")
    assert "secret" not in str(caught.value)
