# ruff: noqa: E501 — tables of cases, one a line
from collections.abc import Callable

import pytest

from tracekeeper.pipeline.config import Artifacts, Cache, Config, Image, Retry, Service

Read = Callable[[str], Config]
Messages = Callable[[str], list[str]]

ALL = """
default:
  image: ruby
  services: [redis]
  cache: {key: k}
  before_script: [before]
  after_script: [after]
  artifacts: {paths: [out]}
  hooks: {pre_get_sources_script: [hook]}
  interruptible: true
  retry: 1
  tags: [t]
"""


def test_a_job_takes_every_default(config_of: Read) -> None:
    job = config_of(ALL + "job: {script: x}\n").jobs["job"]
    assert job.image == Image("ruby")
    assert job.services == (Service("redis"),)
    assert job.cache == (Cache("k"),)
    assert (job.before_script, job.after_script) == (("before",), ("after",))
    assert job.artifacts == Artifacts(paths=("out",))
    assert job.pre_get_sources_script == ("hook",)
    assert job.interruptible
    assert job.retry == Retry(1)
    assert job.tags == ("t",)


def test_a_job_s_own_keyword_wins_and_never_merges(config_of: Read) -> None:
    job = config_of(ALL + "job: {script: x, artifacts: {untracked: true}, tags: []}\n").jobs["job"]
    assert job.artifacts == Artifacts(untracked=True)
    assert job.tags == ()


def test_null_is_not_given(config_of: Read) -> None:
    text = "default: {image: null, retry: 1}\njob: {script: x, retry: null}"
    job = config_of(text).jobs["job"]
    assert (job.image, job.retry) == (None, Retry(1))


@pytest.mark.parametrize(
    ("inherit", "image", "retry"),
    [
        ("{}", True, True),
        ("null", True, True),
        ("{default: true}", True, True),
        ("{default: false}", False, False),
        ("{default: [image]}", True, False),
        ("{default: []}", False, False),
    ],
)
def test_inherit_default(config_of: Read, inherit: str, image: bool, retry: bool) -> None:
    job = config_of(ALL + f"job: {{script: x, inherit: {inherit}}}\n").jobs["job"]
    assert (job.image is not None, job.retry == Retry(1)) == (image, retry)


@pytest.mark.parametrize(
    ("inherit", "variables"),
    [("{}", True), ("{variables: false}", False), ("{variables: [A]}", ("A",))],
)
def test_inherit_variables(config_of: Read, inherit: str, variables: object) -> None:
    config = config_of(f"job: {{script: x, inherit: {inherit}}}")
    assert config.jobs["job"].inherit_variables == variables


def test_older_global_keywords_are_defaults(config_of: Read) -> None:
    config = config_of(
        """
        image: ruby
        services: [redis]
        cache: {key: k}
        before_script: before
        after_script: null
        default: null
        job: {script: x}
        """
    )
    job = config.jobs["job"]
    assert (job.image, job.services) == (Image("ruby"), (Service("redis"),))
    assert (job.cache, job.before_script, job.after_script) == ((Cache("k"),), ("before",), ())


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("default: [a]", ["`default` must be a mapping, not a list (its keywords: image, services, cache, before_script, after_script, artifacts, hooks, interruptible, retry, tags, timeout, id_tokens, identity)"]),
        ("default: {script: x}", ["`default` is a keyword and cannot be the name of a job (choose another name)"]),
        ("default: {script_: x}", ["`script_` is not a keyword of `default` (did you mean `after_script`?)"]),
        ("default: {timeout: 1h}", ["`default:timeout` is accepted, but has no effect in Tracekeeper"]),
        ("default: {retry: 9}", ["`default:retry` must be from 0 to 2, not 9"]),
        ("default: {image: a}\nimage: b", ["`image` is given at the top level and in `default` (keep the one in `default`)"]),
        ("image: [a]", ["`image` must be a string or a mapping, not a list (its keywords: name, entrypoint, pull_policy, docker, kubernetes, ports)"]),
        ("a: {script: x, inherit: {default: [imag]}}", ["`inherit:default` must be one of image, services, cache, before_script, after_script, artifacts, hooks, interruptible, retry, tags, timeout, id_tokens, identity, not `imag` (did you mean `image`?)"]),
        ("a: {script: x, inherit: {variables: 5}}", ["`inherit:variables` must be true or false, not a number"]),
        ("a: {script: x, tags: [" + ", ".join("t" * 50) + "]}", ["`tags` has 50 entries, at most 49 are allowed"]),
    ],
)  # fmt: skip
def test_mistakes(messages_of: Messages, text: str, messages: list[str]) -> None:
    assert messages_of(f"{text}\nb: {{script: x}}\nc: {{script: x}}\n") == messages
