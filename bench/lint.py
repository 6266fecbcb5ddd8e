"""`tracekeeper lint` of a pipeline file of 5,000 lines."""

from functools import partial

from bench.harness import TRACEKEEPER, paired, seconds, timed
from bench.project import project

LINES = 5_000

HEAD = """\
stages: [build, test, deploy]

default:
  retry: 1
  before_script:
    - ./prepare "$CI_JOB_NAME"

.base: &base
  variables: {LEVEL: info}
  cache:
    key: {files: [.gitignore]}
    paths: [.cache]

.rules:
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
    - if: $CI_COMMIT_BRANCH =~ /^(main|release-.*)$/ && $SKIP != "yes"
"""

SERVICE = """\

build {n}:
  extends: .rules
  stage: build
  script:
    - make service-{n}
    - |
      for part in a b c; do
        echo "$part of service {n}"
      done
  artifacts:
    paths: [build/service-{n}/**/*.tar]
    expire_in: 2 days

test {n}:
  <<: *base
  stage: test
  needs: ["build {n}"]
  parallel:
    matrix:
      - DATABASE: [sqlite, postgresql]
        PYTHON: ["3.11", "3.13"]
  script:
    - !reference [default, before_script]
    - make test SERVICE={n}
  rules:
    - !reference [.rules, rules]
    - changes: ["src/service-{n}/**/*"]
      when: manual
      allow_failure: true

deploy {n}:
  stage: deploy
  needs: ["build {n}", {{job: "test {n}", optional: true}}]
  environment: {{name: service-{n}, url: "https://{n}.example.com"}}
  resource_group: service-{n}
  script: ["./deploy service-{n}"]
"""


def pipeline(lines: int) -> str:
    """A valid pipeline file with at least `lines` lines."""
    services = -(-(lines - HEAD.count("\n")) // SERVICE.count("\n"))
    return HEAD + "".join(SERVICE.format(n=n) for n in range(services))


def main() -> bool:
    text = pipeline(LINES)
    with project(text) as directory:
        measure = partial(timed, [TRACEKEEPER, "lint", ".gitlab-ci.yml"], directory)
        median, _ = paired(lambda: measure().wall, None, rounds=9)
    return seconds(f"lint of {text.count(chr(10)):,} lines", median, at_most=0.3)
