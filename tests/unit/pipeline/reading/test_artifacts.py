# ruff: noqa: E501 — tables of cases, one a line
from collections.abc import Callable

import pytest

from tracekeeper.pipeline.config import Artifacts, JobConfig


@pytest.mark.parametrize(
    ("written", "artifacts"),
    [
        ("{}", Artifacts()),
        ("{paths: [a, [b/**/*.o]], exclude: [c]}", Artifacts(paths=("a", "b/**/*.o"), exclude=("c",))),
        ("{untracked: true, name: $CI_JOB_NAME, when: always}", Artifacts(untracked=True, name="$CI_JOB_NAME", when="always")),
        ("{expire_in: 1 week}", Artifacts(expire_in=604800)),
        ("{expire_in: never}", Artifacts()),
        ("{expose_as: the log, paths: [a.log]}", Artifacts(expose_as="the log", paths=("a.log",))),
        ("{reports: {junit: a.xml}}", Artifacts(reports={"junit": ("a.xml",)})),
        ("{reports: {dotenv: [a, b], sast: c}}", Artifacts(dotenv=("a", "b"), reports={"sast": ("c",)})),
        ("{reports: {coverage_report: {coverage_format: cobertura, path: c.xml}}}", Artifacts(reports={"cobertura": ("c.xml",)})),
    ],
)  # fmt: skip
def test_artifacts(job_of: Callable[[str], JobConfig], written: str, artifacts: Artifacts) -> None:
    assert job_of(f"artifacts: {written}").artifacts == artifacts


@pytest.mark.parametrize(
    ("written", "messages"),
    [
        ("[a]", ["`artifacts` must be a mapping, not a list (its keywords: paths, exclude, untracked, name, when, expire_in, expose_as, reports, public, access)"]),
        ("{path: [a]}", ["`path` is not a keyword of `artifacts` (did you mean `paths`?)"]),
        ("{paths: a}", ["`artifacts:paths` must be a list, not a string (write [a])"]),
        ("{paths: [a], public: true}", ["`artifacts:public` is accepted, but has no effect in Tracekeeper"]),
        ("{expire_in: soon}", ['`artifacts:expire_in` is not a duration: `soon` (for example "90", "30 minutes", "1h 30m" or "2 days")']),
        ("{expose_as: a/b, paths: [a]}", ["`artifacts:expose_as` may hold only letters, digits, `-`, `_` and spaces"]),
        ("{expose_as: a}", ["`artifacts:expose_as` needs `artifacts:paths`"]),
        ("{expose_as: a, paths: ['*']}", ["`artifacts:paths` must not have `*` where `expose_as` is given"]),
        ("{reports: {junt: a}}", ["`junt` is not a keyword of `artifacts:reports` (did you mean `junit`?)"]),
        ("{reports: {coverage_report: {}}}", ["`artifacts:reports:coverage_report` needs `coverage_format`"]),
        ("{reports: {coverage_report: {coverage_format: x, path: a}}}", ["`artifacts:reports:coverage_report:coverage_format` must be one of cobertura, jacoco, not `x`"]),
    ],
)  # fmt: skip
def test_mistakes(
    job_messages_of: Callable[[str], list[str]], written: str, messages: list[str]
) -> None:
    assert job_messages_of(f"artifacts: {written}") == messages
