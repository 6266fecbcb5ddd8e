"""Parallel jobs: names, order, variables, and the needs that name them."""

from collections.abc import Callable

from tracekeeper.pipeline.config import Config, Need
from tracekeeper.pipeline.matrix import Instance, instances, interpolated, needed_names

ReadConfig = Callable[[str], Config]

MATRIX = """
build:
  script: [x]
  parallel:
    matrix:
      - OS: [linux, mac]
        CC: [gcc, clang]
      - OS: windows
numbered:
  script: [x]
  parallel: 3
plain: {script: [x]}
user:
  script: [x]
  parallel:
    matrix:
      - ARCH: [arm, x86]
  needs:
    - numbered
    - plain
    - job: build
      parallel:
        matrix:
          - OS: mac
            CC: [gcc, clang]
    - job: build
      optional: true
      parallel:
        matrix:
          - OS: $[[ matrix.ARCH ]]
            CC: $[[matrix.OTHER]]
"""


def names(found: list[Instance]) -> list[str]:
    return [instance.name for instance in found]


def test_a_plain_job_is_itself(config_of: ReadConfig) -> None:
    assert instances(config_of(MATRIX).jobs["plain"]) == [Instance("plain")]


def test_a_number_counts(config_of: ReadConfig) -> None:
    found = instances(config_of(MATRIX).jobs["numbered"])
    assert names(found) == ["numbered 1/3", "numbered 2/3", "numbered 3/3"]
    assert [(one.index, one.total) for one in found] == [(1, 3), (2, 3), (3, 3)]


def test_the_last_variable_of_a_matrix_changes_fastest(config_of: ReadConfig) -> None:
    found = instances(config_of(MATRIX).jobs["build"])
    assert names(found) == [
        "build: [linux, gcc]",
        "build: [linux, clang]",
        "build: [mac, gcc]",
        "build: [mac, clang]",
        "build: [windows]",
    ]
    assert [(one.index, one.total) for one in found] == [(n, 5) for n in range(1, 6)]
    assert {key: v.value for key, v in found[1].variables.items()} == {"OS": "linux", "CC": "clang"}


def needs(config: Config) -> tuple[Need, ...]:
    found = config.jobs["user"].needs
    assert found is not None
    return found


def test_a_need_of_a_parallel_job_means_all_of_it(config_of: ReadConfig) -> None:
    config = config_of(MATRIX)
    numbered, plain, *_ = needs(config)
    assert needed_names(numbered, config.jobs["numbered"]) == [f"numbered {n}/3" for n in (1, 2, 3)]
    assert needed_names(plain, config.jobs["plain"]) == ["plain"]
    assert needed_names(plain, None) == ["plain"]


def test_a_need_selects_instances_of_a_matrix(config_of: ReadConfig) -> None:
    config = config_of(MATRIX)
    found = needed_names(needs(config)[2], config.jobs["build"])
    assert found == ["build: [mac, gcc]", "build: [mac, clang]"]


def test_a_need_can_follow_the_matrix_of_its_own_job(config_of: ReadConfig) -> None:
    config = config_of(MATRIX)
    arm, x86 = instances(config.jobs["user"])
    need = needs(config)[3]
    assert interpolated(need, arm).matrix == ({"OS": ("arm",), "CC": ("$[[matrix.OTHER]]",)},)
    assert interpolated(need, x86).matrix == ({"OS": ("x86",), "CC": ("$[[matrix.OTHER]]",)},)
    assert interpolated(need, x86).optional
