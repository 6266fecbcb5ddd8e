"""Slugs, by GitLab's rules."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.jobs.slugs import deployment_tier, environment_slug, group_name, slug

SLUGS = [
    ("main", "main"),
    ("feature/Login_Page", "feature-login-page"),
    ("-/1.x/-", "1-x"),
    ("ÄB", "b"),
    ("x" * 62 + "--y", "x" * 62),
    ("", ""),
]


@pytest.mark.parametrize(("text", "expected"), SLUGS)
def test_slug(text: str, expected: str) -> None:
    assert slug(text) == expected


@given(st.text())
def test_every_slug_is_fit_for_a_host_name(text: str) -> None:
    assert re.fullmatch(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)?", slug(text))


ENVIRONMENTS = [
    ("production", "production"),
    ("staging-", "staging"),
    # suffixes computed by Ruby: Digest::SHA2.hexdigest(name).to_i(16).to_s(36)[-6..]
    ("review/Feature", "review-feature-2eolhq"),
    ("1", "env-1-x3mbm3"),
    ("a--b", "a-b-m3ql0o"),
]


@pytest.mark.parametrize(("name", "expected"), ENVIRONMENTS)
def test_environment_slug(name: str, expected: str) -> None:
    assert environment_slug(name) == expected


@given(st.text(min_size=1))
def test_every_environment_slug_is_fit_for_a_label(name: str) -> None:
    assert re.fullmatch(r"[a-z]([a-z0-9-]{0,22}[a-z0-9])?", environment_slug(name))


GROUPS = [
    ("build", "build"),
    ("build 2/5", "build"),
    ("build 1 / 10", "build"),
    ("build: [linux, gcc]", "build"),
    ("build: [linux] 1/2", "build"),
    ("rspec:unit", "rspec:unit"),
    ("go 1.22", "go 1.22"),
]


@pytest.mark.parametrize(("job", "expected"), GROUPS)
def test_group_name(job: str, expected: str) -> None:
    assert group_name(job) == expected


TIERS = [
    ("Production", "production"),
    ("prd-eu", "production"),
    ("review/x", "development"),
    ("acpt", "testing"),
    ("QA", "testing"),
    ("stg", "staging"),
    ("demo", "staging"),
    ("moon", "other"),
]


@pytest.mark.parametrize(("environment", "tier"), TIERS)
def test_deployment_tier(environment: str, tier: str) -> None:
    assert deployment_tier(environment) == tier
