# ruff: noqa: E501 — tables of cases, one a line
from collections.abc import Callable

import pytest

from tracekeeper.pipeline.config import Image, JobConfig, Service, Variable


@pytest.mark.parametrize(
    ("written", "image"),
    [
        ("ruby:3", Image("ruby:3")),
        ("{name: ruby}", Image("ruby")),
        ('{name: a, entrypoint: [""]}', Image("a", entrypoint=("",))),
        ("{name: a, entrypoint: []}", Image("a", entrypoint=())),
        ("{name: a, pull_policy: always}", Image("a", pull_policy=("always",))),
        ("{name: a, pull_policy: [always, if-not-present]}", Image("a", pull_policy=("always", "if-not-present"))),
        ("{name: a, docker: {user: me, platform: linux/arm64}}", Image("a", user="me", platform="linux/arm64")),
        ("null", None),
    ],
)  # fmt: skip
def test_images(job_of: Callable[[str], JobConfig], written: str, image: Image | None) -> None:
    assert job_of(f"image: {written}").image == image


@pytest.mark.parametrize(
    ("written", "service"),
    [
        ("redis", Service("redis")),
        ("{name: pg, alias: db}", Service("pg", aliases=("db",))),
        ('{name: pg, alias: "db, main other"}', Service("pg", aliases=("db", "main", "other"))),
        ("{name: pg, command: [a, b], entrypoint: [c]}", Service("pg", command=("a", "b"), entrypoint=("c",))),
        ("{name: pg, command: start}", Service("pg", command=("start",))),
        ("{name: pg, variables: {A: 1}}", Service("pg", variables={"A": Variable("A", "1")})),
        ("{name: pg, docker: {user: me}, pull_policy: never}", Service("pg", user="me", pull_policy=("never",))),
    ],
)  # fmt: skip
def test_services(job_of: Callable[[str], JobConfig], written: str, service: Service) -> None:
    assert job_of(f"services:\n  - {written}").services == (service,)


@pytest.mark.parametrize(
    ("keywords", "messages"),
    [
        ('image: ""', ["`image` must not be empty"]),
        ("image: 3", ['`image` must be a string, not a number (write it in quotes: "3")']),
        ("image: [a]", ["`image` must be a string or a mapping, not a list (its keywords: name, entrypoint, pull_policy, docker, kubernetes, ports)"]),
        ("image: {entrypoint: [a]}", ["`image` needs `name`"]),
        ("image: {name: a, entrypoint: sh}", ["`image:entrypoint` must be a list, not a string (write [sh])"]),
        ("image: {name: a, pull_policy: allways}", ["`image:pull_policy` must be one of always, if-not-present, never, not `allways` (did you mean `always`?)"]),
        ("image: {name: a, docker: {usr: me}}", ["`usr` is not a keyword of `image:docker` (did you mean `user`?)"]),
        ("image: {name: a, kubernetes: {user: 1}}", ["`image:kubernetes` is accepted, but has no effect in Tracekeeper"]),
        ("services: redis", ["`services` must be a list, not a string (write [redis])"]),
        ("services: [{alias: db}]", ["`services` needs `name`"]),
    ],
)  # fmt: skip
def test_mistakes(
    job_messages_of: Callable[[str], list[str]], keywords: str, messages: list[str]
) -> None:
    assert job_messages_of(keywords) == messages
