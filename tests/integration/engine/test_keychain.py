"""This machine's credentials: a configuration file, and helpers that are real programs."""

import json
from pathlib import Path

import pytest

from tracekeeper.engine import keychain
from tracekeeper.engine.credentials import Helper, Login


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of the program that ``docker-credential-test`` means."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path / "docker-credential-test"


def write(program: Path, script: str) -> None:
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_a_helper_gets_the_registry_and_gives_a_login(helper: Path) -> None:
    write(helper, 'read -r server; printf \'{"Username": "%s", "Secret": "%s"}\' "$1" "$server"')
    assert keychain.ask(Helper("test", "r.tld")) == Login("r.tld", "get", "r.tld")


def test_a_helper_that_knows_nothing(helper: Path) -> None:
    write(helper, "echo credentials not found in native keychain; exit 1")
    assert keychain.ask(Helper("test", "r.tld")) is None


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("echo secret; echo secret >&2; exit 3", "ended with status 3 for r.tld"),
        ("echo secret", "docker-credential-test: its answer is not the JSON of credentials"),
        ("exec sleep 600", "gave no answer within 0.1 s"),
    ],
)
def test_a_helper_that_fails_is_told_without_what_it_printed(
    helper: Path, script: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "sleep" in script:
        monkeypatch.setattr(keychain, "HELPER_SECONDS", 0.1)
    write(helper, script)
    with pytest.raises(ValueError, match=sentence) as caught:
        keychain.ask(Helper("test", "r.tld"))
    assert "secret" not in str(caught.value)


def test_a_helper_that_is_not_there(helper: Path) -> None:
    with pytest.raises(ValueError, match="the program docker-credential-test is not installed"):
        keychain.ask(Helper("test", "r.tld"))
    helper.write_text("")
    helper.chmod(0o644)
    with pytest.raises(ValueError, match="cannot be run: Permission denied"):
        keychain.ask(Helper("test", "r.tld"))


def test_which_file_is_read(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    assert keychain.configuration_file(environ) is None
    old = tmp_path / ".dockercfg"
    old.write_text("{}")
    assert keychain.configuration_file(environ) == old
    own = tmp_path / ".docker" / "config.json"
    own.parent.mkdir()
    own.write_text("{}")
    assert keychain.configuration_file(environ) == own
    chosen = tmp_path / "elsewhere" / "config.json"
    chosen.parent.mkdir()
    chosen.write_text("{}")
    assert keychain.configuration_file({**environ, "DOCKER_CONFIG": str(chosen.parent)}) == chosen


def test_both_forms_of_the_file(tmp_path: Path) -> None:
    auths = {"r.tld": {"username": "u", "password": "p"}}
    for name, content in (("config.json", {"auths": auths}), (".dockercfg", auths)):
        file = tmp_path / name
        file.write_text(json.dumps(content))
        assert keychain.read_configuration(file).find("r.tld") == Login("r.tld", "u", "p")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"secret", "not the JSON"), (b"\xffsecret", "it is not text")],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes, sentence: str) -> None:
    file = tmp_path / "config.json"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=sentence) as caught:
        keychain.read_configuration(file)
    assert "secret" not in str(caught.value)
    with pytest.raises(ValueError, match="No such file"):
        keychain.read_configuration(tmp_path / "none")
