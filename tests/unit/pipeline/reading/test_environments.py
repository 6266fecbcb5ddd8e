# ruff: noqa: E501 — tables of cases, one a line
from collections.abc import Callable

import pytest

from tracekeeper.pipeline.config import Environment, JobConfig


@pytest.mark.parametrize(
    ("written", "environment"),
    [
        ("production", Environment("production")),
        ("review/$CI_COMMIT_REF_SLUG", Environment("review/$CI_COMMIT_REF_SLUG")),
        ("{name: a, url: 'https://x'}", Environment("a", "https://x")),
        ("{name: a, action: prepare, deployment_tier: staging}", Environment("a", action="prepare", deployment_tier="staging")),
        ("{name: a, deployment_tier: $TIER}", Environment("a", deployment_tier="$TIER")),
        ("{name: a, auto_stop_in: 1 day}", Environment("a", auto_stop_in="1 day")),
    ],
)  # fmt: skip
def test_environments(
    job_of: Callable[[str], JobConfig], written: str, environment: Environment
) -> None:
    assert job_of(f"environment: {written}").environment == environment


@pytest.mark.parametrize(
    ("written", "messages"),
    [
        ("{url: x}", ["`environment` needs `name`"]),
        ("[a]", ["`environment` must be a string or a mapping, not a list (its keywords: name, url, action, on_stop, deployment_tier, auto_stop_in, kubernetes)"]),
        ("a/", ["`environment` cannot be `a/` (letters, digits, spaces and -_/${}. are allowed, no / at either end)"]),
        ("{name: 'a!'}", ["`environment:name` cannot be `a!` (letters, digits, spaces and -_/${}. are allowed, no / at either end)"]),
        ('""', ["`environment` must not be empty"]),
        ("{name: a, action: stopp}", ["`environment:action` must be one of start, prepare, stop, verify, access, not `stopp` (did you mean `stop`?)"]),
        (f"{{name: a, url: {'x' * 256}}}", ["`environment:url` is longer than 255 characters"]),
        ("{name: a, kubernetes: {namespace: b}}", ["`environment:kubernetes` is accepted, but has no effect in Tracekeeper"]),
    ],
)  # fmt: skip
def test_mistakes(
    job_messages_of: Callable[[str], list[str]], written: str, messages: list[str]
) -> None:
    assert job_messages_of(f"environment: {written}") == messages
