import tomllib

import pytest

from tracekeeper.runner.docker.config import (
    ConnectionConfig,
    DockerConfig,
    KeepaliveConfig,
    ServiceConfig,
)
from tracekeeper.runner.docker.reading import NoSection, Reading, choose, read

EXAMPLE = """
concurrent = 4
[[runners]]
  name = "one"
  url = "https://gitlab.example"
  token = "secret"
  executor = "docker"
  [runners.docker]
    image = "ruby:3.3"
    memory = "128m"
    pull_policy = ["always", "if-not-present"]
    privileged = false
    services_privileged = true
    services_limit = 5
    volumes = ["/cache"]
    [runners.docker.ulimit]
      "rtprio" = "99"
    [[runners.docker.services]]
      name = "redis:2.8"
      alias = "cache"
      environment = ["A=b"]
    [runners.docker.connection]
      keepalive = { idle = 5, count = 2 }
      idle = 300
      preview = true
[[runners]]
  name = "two"
  executor = "shell"
"""


KEEPALIVE = "[runners.docker.connection.keepalive]"
NO_HELPER = "there is no helper container: files go in and out by the engine's archive calls"


def section(text: str) -> Reading:
    return read(choose(tomllib.loads(f"[runners.docker]\n{text}")))


def errors(text: str) -> tuple[str, ...]:
    return section(text).findings.errors


def warnings(text: str) -> tuple[str, ...]:
    return section(text).findings.warnings


def wrong(key: str, what: str, *, section: str = "[runners.docker]") -> str:
    return f"{key} in {section} has a wrong value: {what}"


def test_a_whole_file() -> None:
    reading = read(choose(tomllib.loads(EXAMPLE)))
    assert reading.config == DockerConfig(
        image="ruby:3.3",
        memory="128m",
        pull_policy=("always", "if-not-present"),
        services_privileged=True,
        services_limit=5,
        volumes=("/cache",),
        ulimit={"rtprio": "99"},
        services=(ServiceConfig("redis:2.8", alias="cache", environment=("A=b",)),),
        connection=ConnectionConfig(
            keepalive=KeepaliveConfig(idle=5, count=2), idle=300.0, preview=True
        ),
    )
    assert reading.findings.errors == reading.findings.warnings == ()


@pytest.mark.parametrize(
    "text",
    [
        "[runners.docker]\nimage = 'a'",
        "[[runners]]\n[runners.docker]\nimage = 'a'",
        "[[runners]]\nname = 'x'\n[[runners]]\n[runners.docker]\nimage = 'a'",
    ],
)
def test_fragments(text: str) -> None:
    assert read(choose(tomllib.loads(text))).config == DockerConfig(image="a")


TWO = (
    "[[runners]]\nname = 'a'\n[runners.docker]\n[[runners]]\nname = 'b'\n[runners.docker]\nuser='u'"
)


def test_a_runner_by_its_name() -> None:
    assert read(choose(tomllib.loads(TWO), "b")).config.user == "u"


@pytest.mark.parametrize(
    ("text", "name", "why", "names"),
    [
        ("", "", "has no [runners.docker]", []),
        ("runners = 3", "", "has no [runners.docker]", []),
        ("runners = [3]", "", "has no [runners.docker]", []),
        ("[[runners]]\nname = 'a'", "", "has no [runners.docker]", []),
        (TWO, "", "has 2 of [runners.docker]", ["a", "b"]),
        (TWO, "c", "has no [runners.docker] of a runner named 'c'", ["a", "b"]),
    ],
)
def test_no_one_section(text: str, name: str, why: str, names: list[str]) -> None:
    with pytest.raises(NoSection) as caught:
        choose(tomllib.loads(text), name)
    assert (str(caught.value), caught.value.names) == (why, names)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("memory = 5", wrong("memory", "write text in quotes")),
        (
            "cpu_shares = 'x'",
            wrong("cpu_shares", "write a whole number"),
        ),
        ("privileged = 1", wrong("privileged", "write true or false")),
        ("dns = '1'", wrong("dns", "write a list of text in quotes")),
        (
            "tmpfs = 1",
            wrong("tmpfs", "write a table of text in quotes"),
        ),
        (
            "services_devices = 1",
            wrong("services_devices", "write a table of a list of text in quotes"),
        ),
        (
            "pull_policy = 'some'",
            wrong(
                "pull_policy",
                'write "always" or "if-not-present" '
                'or "never" or a list of "always" or "if-not-present" or "never"',
            ),
        ),
        (
            "services_limit = 'x'",
            wrong("services_limit", "write a whole number"),
        ),
        (
            "shm_size = -1",
            wrong("shm_size", "write a whole number, 0 or more"),
        ),
        (
            "memory = '5x'",
            wrong("memory", "'5x' is not a size: write a number with b, k, m or g, such as 512m"),
        ),
        (
            "dns = ['x']",
            wrong("dns", "'x' is not an IP address: write one such as 10.0.0.53"),
        ),
        ("connection = 1", "[runners.docker.connection] is not a table"),
        (
            "[runners.docker.connection]\nkeepalive = 5",
            wrong(
                "keepalive",
                "write true or false or a table of whole numbers",
                section="[runners.docker.connection]",
            ),
        ),
        (
            "[runners.docker.connection]\nkeepalive = { idle = 0, count = 2 }",
            wrong("idle", "write a whole number, 1 to 32767", section=KEEPALIVE),
        ),
        (
            "[runners.docker.connection.keepalive]\ncount = 128",
            wrong("count", "write a whole number, 1 to 127", section=KEEPALIVE),
        ),
        (
            "[runners.docker.connection]\npatience = -1",
            wrong(
                "patience",
                "write a number of seconds, 0 or more",
                section="[runners.docker.connection]",
            ),
        ),
        *(
            (
                f"[runners.docker.connection]\n{key} = {endless}",
                wrong(
                    key,
                    "inf has no end: write a number of seconds, such as 300",
                    section="[runners.docker.connection]",
                ),
            )
            for key in ("idle", "patience")
            for endless in ("inf", "1e400")
        ),
        (
            "[runners.docker.connection]\nidle = nan",
            wrong(
                "idle",
                "write a number of seconds, 0 or more",
                section="[runners.docker.connection]",
            ),
        ),
        (
            "[runners.docker.connection.keepalive]\ninterval = 32768",
            wrong("interval", "write a whole number, 1 to 32767", section=KEEPALIVE),
        ),
        (
            "[runners.docker.connection.keepalive]\nuser_timeout = 2147484",
            wrong("user_timeout", "write a whole number, 1 to 2147483", section=KEEPALIVE),
        ),
        ("services = 1", "[[runners.docker.services]] is not a list of tables"),
        (
            "[[runners.docker.services]]\nalias = 'x'",
            "[[runners.docker.services]] needs a name: the image, as text",
        ),
        (
            "[[runners.docker.services]]\nname = 'x'\nenvironment = ['A']",
            wrong(
                "environment",
                "'A' is not KEY=VALUE: write MODE=test",
                section="[[runners.docker.services]]",
            ),
        ),
    ],
)
def test_errors_name_the_key_and_what_would_be_right(text: str, sentence: str) -> None:
    assert errors(text) == (sentence,)


def test_a_section_that_is_no_table() -> None:
    reading = read({"docker": 3})
    assert reading.findings.errors == ("[runners.docker] is not a table",)


def test_every_error_is_found() -> None:
    assert len(errors("memory = 5\ncpus = 'x'\n[runners.docker.connection]\nidle = 'x'")) == 3


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("memry = 5", "unknown key memry in [runners.docker]; did you mean `memory`?"),
        ("qqq = 5", "unknown key qqq in [runners.docker]"),
        (
            "helper_image_flavor = 'x'",
            f"known, not acted on: helper_image_flavor in [runners.docker], because {NO_HELPER}",
        ),
        (
            "[runners.docker.connection]\nkeep_alive = true",
            "unknown key keep_alive in [runners.docker.connection]; did you mean `keepalive`?",
        ),
        (
            "[runners.docker.connection]\nkeepalive = { intervall = 5 }",
            (
                "unknown key intervall in [runners.docker.connection.keepalive]; "
                "did you mean `interval`?"
            ),
        ),
    ],
)
def test_warnings(text: str, sentence: str) -> None:
    assert warnings(text) == (sentence,)


@pytest.mark.parametrize(("value", "expected"), [("true", True), ("false", False)])
def test_keepalives_are_on_or_off(value: str, expected: bool) -> None:
    reading = section(f"[runners.docker.connection]\nkeepalive = {value}")
    assert reading.config.connection.keepalive is expected
    assert reading.findings.errors == ()


def test_the_runner_around_the_section() -> None:
    reading = read({"docker": {}, "exekutor": "docker", "environment": ["DOCKER_AUTH_CONFIG={}"]})
    assert reading.auth == "{}"
    assert reading.findings.warnings == (
        "unknown key exekutor in [[runners]]; did you mean `executor`?",
    )
