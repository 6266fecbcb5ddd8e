# ruff: noqa: E501 — tables of cases, one a line
from collections.abc import Callable

import pytest

from tracekeeper.pipeline.config import JobConfig
from tracekeeper.problems import Position

Findings = Callable[[str], list[str]]


def test_a_plain_job(job_of: Callable[[str], JobConfig]) -> None:
    assert job_of("stage: build") == JobConfig("job", Position("f", 1, 1), "build", script=("x",))


def test_the_other_keywords(job_of: Callable[[str], JobConfig]) -> None:
    job = job_of(
        """
        extends: [.a]
        when: delayed
        start_in: 10
        dependencies: []
        timeout: 1h 30m
        resource_group: production
        interruptible: true
        """.replace("start_in: 10", 'start_in: "10"')
    )
    assert (job.when, job.start_in, job.timeout) == ("delayed", 10, 5400)
    assert (job.dependencies, job.resource_group, job.interruptible) == ((), "production", True)


@pytest.mark.parametrize(
    "keyword",
    ["dast_configuration", "id_tokens", "identity", "inputs", "manual_confirmation", "pages",
     "publish", "release", "secrets"],
)  # fmt: skip
def test_known_and_not_acted_on(findings_of: Findings, keyword: str) -> None:
    assert findings_of(f"job:\n  script: x\n  {keyword}: y\n") == ["3:3 not_acted_on warning"]


@pytest.mark.parametrize(
    ("work", "finding"),
    [
        ("trigger: {project: a/b}", "2:3 not_acted_on warning"),
        ("run: [{name: a, script: b}]", "2:3 not_acted_on warning"),
        ("needs: {pipeline: a/b}", "2:10 not_acted_on warning"),
    ],
)
def test_jobs_without_a_script_of_their_own(findings_of: Findings, work: str, finding: str) -> None:
    assert findings_of(f"job:\n  {work}\n") == [finding]


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        ("job: {stage: test}", ["1:1 missing_script"]),
        ("job: {script: null}", ["1:1 missing_script"]),
        ("job: {scirpt: x}", ["1:7 unknown_keyword"]),
        ("job: {script: x, run: []}", ["1:18 not_acted_on warning", "1:18 conflicting_keywords"]),
        ("job: {script: x, rules: [{if: $A}], only: [a], except: [b]}", ["1:37 conflicting_keywords", "1:48 conflicting_keywords"]),
        ("job: {script: x, rules: [{if: $A}], when: delayed, start_in: 5 min}", ["1:52 conflicting_keywords", "1:37 conflicting_keywords"]),
        ("job: {script: x, rules: [{if: $A}], when: manual}", []),
        ("job: {script: x, rules: [], only: [a]}", []),
        ("job: {script: x, when: delayed}", ["1:18 missing_keyword"]),
        ("job: {script: x, start_in: 5 min}", ["1:18 conflicting_keywords"]),
        ("job: {script: x, when: never}", ["1:24 wrong_value"]),
        ('"": {script: x}', ["1:1 bad_job_name"]),
        (f"? {'x' * 256}\n: {{script: x}}", ["1:3 bad_job_name"]),
        (f"? {'x' * 255}\n: {{script: x}}", []),
        ('"nil": {script: x}', ["1:1 unclear_job_name warning"]),
        ('"true": {script: x}', ["1:1 unclear_job_name warning"]),
        ("pages: {script: x}", ["1:1 not_acted_on warning"]),
        ("pages: {script: x, pages: true}", ["1:20 not_acted_on warning"]),
        ("pages: {script: x, pages: false}", []),
    ],
)  # fmt: skip
def test_findings(findings_of: Findings, text: str, findings: list[str]) -> None:
    assert findings_of(text) == findings
