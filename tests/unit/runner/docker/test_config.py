import math
from typing import Any, get_origin

import msgspec
import pytest

from tracekeeper.runner.docker.config import (
    DEFAULTS,
    ConnectionConfig,
    DockerConfig,
    PullPolicy,
    ServiceConfig,
)
from tracekeeper.runner.docker.reading import meta

RIGHT: dict[str, Any] = {
    "cpus": "1.5",
    "device_cgroup_rules": ("c 42:* rwm",),
    "devices": ("/dev/null",),
    "dns": ("10.0.0.1",),
    "extra_hosts": ("a:10.0.0.1",),
    "gpus": "all",
    "idle": 600.0,
    "isolation": "default",
    "log_options": {"env": "A,B", "labels": "x"},
    "mac_address": "92:d0:c6:0a:29:33",
    "memory": "512m",
    "memory_reservation": "1g",
    "memory_swap": "-1",
    "patience": 0.5,
    "service_cpus": "2",
    "service_gpus": "1",
    "service_memory": "1m",
    "service_memory_reservation": "1m",
    "service_memory_swap": "1m",
    "services_devices": {"ruby:*": ("/dev/null",)},
    "ulimit": {"nofile": "10:20"},
    "volumes": ("/cache", "/a:/b:ro"),
    "environment": ("A=b",),
}
WRONG: dict[str, Any] = {
    **dict.fromkeys(RIGHT, "$"),
    **{key: ("$",) for key, value in RIGHT.items() if isinstance(value, tuple)},
    **dict.fromkeys(("idle", "patience"), math.inf),
    "log_options": {"max-size": "1"},
    "services_devices": {"*": ("$",)},
    "volumes": ("cache",),
    "ulimit": {"nofile": "many"},
}


def checks() -> dict[str, Any]:
    return {
        field.name: check
        for struct in (DockerConfig, ConnectionConfig, ServiceConfig)
        for field in msgspec.structs.fields(struct)
        if (check := (meta(field).extra or {})["check"])
    }


@pytest.mark.parametrize(("name", "check"), checks().items())
def test_each_check_takes_what_is_right_and_refuses_what_is_wrong(name: str, check: Any) -> None:
    check(RIGHT[name])
    with pytest.raises(ValueError, match=r"^('|is|has|nofile = )"):
        check(WRONG[name])


def test_a_wrong_item_of_a_list_is_named() -> None:
    with pytest.raises(ValueError, match=r"^'b' is not an IP address"):
        checks()["dns"](("10.0.0.1", "b"))


def test_every_key_says_what_it_means_or_why_it_is_not_acted_on() -> None:
    for struct in (DockerConfig, ConnectionConfig, ServiceConfig):
        for field in msgspec.structs.fields(struct):
            said = meta(field)
            assert bool(said.description) != bool((said.extra or {})["ignored"]), field.name


def test_texts_and_tables_are_empty_unless_given() -> None:
    config = DockerConfig()
    for field in msgspec.structs.fields(config):
        kind = get_origin(field.type.__origin__)
        if kind in (tuple, dict):
            assert not getattr(config, field.name), field.name


@pytest.mark.parametrize(
    ("given", "expected"),
    [((), ()), ("never", ("never",)), (("always", "never"), ("always", "never"))],
)
def test_a_pull_policy_is_a_list(
    given: PullPolicy | tuple[PullPolicy, ...], expected: tuple[str, ...]
) -> None:
    assert DockerConfig(pull_policy=given).pull_policies == expected


def test_without_a_file_there_is_nothing_but_the_policy_of_run() -> None:
    assert DEFAULTS.config == DockerConfig()
    assert DEFAULTS.pull_policy == ("if-not-present",)
