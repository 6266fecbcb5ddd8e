"""What people rely on when jobs run: one real pipeline of small jobs, in the shell executor.

Each job says on its first line which page of GitLab's documentation it follows. What a job printed
is compared without the commands that the log shows and without our own notes.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, TypeAlias

import pytest

PIPELINE = r"""
stages: [one, two, three]
variables:
  A: "a"
  B: "$A-b"
  ESCAPED: "$$A"
  RAW: {value: "$A", expand: false}
  UNKNOWN: "x${NOWHERE}y"
default:
  before_script: [echo =before]
  after_script: ['echo "=after $CI_JOB_STATUS"']
.shared:
  before_script: [echo =shared]
  variables: {M: mixed}

variables in variables:  # CI/CD variables
  stage: one
  script: ['echo "=$B $ESCAPED $RAW $UNKNOWN"']
several lines:  # Format scripts and job logs
  extends: .shared
  stage: one
  script:
    - !reference [.shared, before_script]
    - |
      cat <<END
      =here $M
      =  indented
      END
    - >
      echo "=folded"
      "line"
    - 'echo "=colon: quoted"'
    - |
      in_one_shell() { echo "=function in $(basename "$PWD")"; }
    - cd /
    - in_one_shell
    - export LATER=later
    - echo "=$LATER"
  after_script: ['echo "=own shell ${LATER:-unset}"']
pipefail:  # Shells supported by GitLab Runner: set -o pipefail
  stage: one
  script: [false | true, echo =never]
  allow_failure: true
errexit is the script's to change:
  stage: one
  script: [set +e, 'false', 'echo "=[$NOWHERE]"']
before_script fails:  # before_script, allow_failure:exit_codes
  stage: one
  before_script: [exit 3]
  script: [echo =never]
  allow_failure: {exit_codes: [3]}
after_script fails:  # after_script
  stage: one
  script: [echo =script]
  after_script: [exit 9]
exit ends the script:
  stage: one
  script: [exit 0, echo =never]
producer:  # artifacts:paths, artifacts:reports:dotenv
  stage: one
  variables: {D: job}
  script: [echo D=dotenv > d.env, 'echo "E=two words" >> d.env', mkdir out, echo =kept > out/file]
  artifacts: {paths: [out], reports: {dotenv: d.env}}
failed keeps on_failure:  # artifacts:when
  stage: one
  script: [echo =failure > failure.log, exit 4]
  artifacts: {paths: [failure.log], when: on_failure}
  allow_failure: true
failed keeps always:
  stage: one
  script: [echo =always > always.log, exit 4]
  artifacts: {paths: [always.log], when: always}
  allow_failure: true
failed keeps nothing by default:
  stage: one
  script: [echo =success > success.log, exit 4]
  artifacts: {paths: [success.log]}
  allow_failure: true
pushes:  # cache:policy
  stage: one
  cache: {key: k, paths: [c], policy: push}
  script: [mkdir c, echo =cached > c/file]
absent:
  stage: one
  script: [echo =never]
  rules: [{if: $NOWHERE}]

dotenv wins:  # CI/CD variable precedence
  stage: two
  variables: {D: mine, F: "$D-$E"}
  script: ['echo "=$D $E $F"', cat out/file]
no dependencies:  # dependencies
  stage: two
  dependencies: []
  script: ['echo "=$(ls -d out *.log 2>/dev/null)[$D]"']
no artifacts of a need:  # needs:artifacts
  stage: two
  needs: [{job: producer, artifacts: false}]
  script: ['echo "=$(ls -d out 2>/dev/null)[$D]"']
optional need:  # needs:optional
  stage: two
  needs: [{job: absent, optional: true}, {job: producer}]
  script: [cat out/file]
sees what failed jobs kept:
  stage: two
  script: [cat *.log]
matrix:  # parallel:matrix
  stage: two
  parallel: {matrix: [{X: [1, two words], Y: y}]}
  script: ['echo "=$X $Y $CI_NODE_INDEX/$CI_NODE_TOTAL $CI_JOB_NAME"']
pulls:
  stage: two
  cache: {key: k, paths: [c], policy: pull}
  script: [cat c/file, echo =changed > c/file]
on failure:  # when: failures that are allowed count as success
  stage: two
  when: on_failure
  script: [echo =never]

pulls again:
  stage: three
  cache: {key: k, paths: [c], policy: pull}
  script: [cat c/file]
starts at once:  # needs: an empty list
  stage: three
  needs: []
  script: ['echo "=$(ls -d out 2>/dev/null)"']
last:  # stage: .post
  stage: .post
  when: always
  script: [echo =end]
"""

Events: TypeAlias = list[dict[str, Any]]


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Events:
    """The events of one run of the pipeline."""
    project: Path = tmp_path_factory.mktemp("project")
    (project / ".gitlab-ci.yml").write_text(PIPELINE)
    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "tracekeeper",
            "run",
            "--executor",
            "shell",
            "--json",
            "--jobs",
            "64",
        ],
        cwd=project,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def printed(events: Events, job: str) -> list[str]:
    """The lines of a job's own that begin with ``=``."""
    output = (e["text"] for e in events if e["type"] == "output" and e["name"] == job)
    lines = re.split(r"[\r\n]+", "".join(output))
    return [line for line in lines if line.startswith("=")]


@pytest.mark.parametrize(
    ("job", "lines"),
    [
        ("variables in variables", ["=before", "=a-b $A $A xy", "=after success"]),
        (
            "several lines",
            [
                "=shared",
                "=shared",
                "=here mixed",
                "=  indented",
                "=folded line",
                "=colon: quoted",
                "=function in /",
                "=later",
                "=own shell unset",
            ],
        ),
        ("pipefail", ["=before", "=after failed"]),
        ("errexit is the script's to change", ["=before", "=[]", "=after success"]),
        ("before_script fails", ["=after failed"]),
        ("after_script fails", ["=before", "=script"]),
        ("exit ends the script", ["=before", "=after success"]),
        (
            "dotenv wins",
            ["=before", "=dotenv two words dotenv-two words", "=kept", "=after success"],
        ),
        ("no dependencies", ["=before", "=[]", "=after success"]),
        ("no artifacts of a need", ["=before", "=[]", "=after success"]),
        ("optional need", ["=before", "=kept", "=after success"]),
        ("sees what failed jobs kept", ["=before", "=always", "=failure", "=after success"]),
        ("matrix: [1, y]", ["=before", "=1 y 1/2 matrix: [1, y]", "=after success"]),
        (
            "matrix: [two words, y]",
            ["=before", "=two words y 2/2 matrix: [two words, y]", "=after success"],
        ),
        ("pulls", ["=before", "=cached", "=after success"]),
        ("pulls again", ["=before", "=cached", "=after success"]),
        ("starts at once", ["=before", "=", "=after success"]),
        ("last", ["=before", "=end", "=after success"]),
    ],
)
def test_what_a_job_prints(events: Events, job: str, lines: list[str]) -> None:
    assert printed(events, job) == lines


def test_how_jobs_end(events: Events) -> None:
    ends = {e["name"]: (e["status"], e["exit_code"]) for e in events if e["type"] == "job_finished"}
    assert {job: end for job, end in ends.items() if end != ("success", 0)} == {
        "pipefail": ("failed", 1),
        "before_script fails": ("failed", 3),
        "failed keeps on_failure": ("failed", 4),
        "failed keeps always": ("failed", 4),
        "failed keeps nothing by default": ("failed", 4),
    }
    assert "absent" not in ends
    skipped = [e["name"] for e in events if e["type"] == "job_status" and e["status"] == "skipped"]
    assert skipped == ["on failure"]


def test_an_empty_list_of_needs_waits_for_nobody(events: Events) -> None:
    started = [e["name"] for e in events if e["type"] == "job_started"]
    assert started.index("starts at once") < started.index("dotenv wins")


def test_every_trace_is_proven(events: Events) -> None:
    finished = [e for e in events if e["type"] == "job_finished"]
    assert {e["verdict"] for e in finished} == {"proven"}
