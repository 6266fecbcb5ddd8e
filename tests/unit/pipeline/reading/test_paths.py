import posixpath
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.pipeline.reading.paths import leaves_project


@pytest.mark.parametrize(
    ("path", "leaves"),
    [
        ("out/", False),
        ("./out//x", False),
        ("a/../b", False),
        ("..a/b..", False),
        ("/etc/passwd", True),
        ("..", True),
        ("../x", True),
        ("a/../../b", True),
        ("./../x", True),
        ("a/b/../../..", True),
        ("$CI_PROJECT_DIR/out", False),
        ("$X/../..", False),
        ("/builds/$X", False),
    ],
)
def test_leaves_project(path: str, leaves: bool) -> None:
    assert leaves_project(path) == leaves


@given(st.lists(st.sampled_from(["a", "b", "..", ".", ""]), min_size=1, max_size=8))
def test_a_path_that_stays_inside_at_each_step_ends_inside(parts: list[str]) -> None:
    path = "x/" + "/".join(parts)
    steps = ["/".join(["x", *parts[:count]]) for count in range(len(parts) + 1)]
    outside = any(posixpath.normpath(step).startswith("..") for step in steps)
    assert leaves_project(path) == outside


@pytest.mark.parametrize(
    "keywords",
    [
        "artifacts: {paths: [../x]}",
        "artifacts: {paths: [a], exclude: [/x]}",
        "artifacts: {reports: {junit: ../x.xml}}",
        "artifacts: {reports: {dotenv: [/x]}}",
        "cache: {paths: [/root/.cache]}",
        "cache: {paths: [a], key: {files: [../x]}}",
    ],
)
def test_paths_outside(findings_of: Callable[[str], list[str]], keywords: str) -> None:
    (finding,) = findings_of(f"job:\n  {keywords}\n  script: x\n")
    assert finding.endswith(" path_outside warning")
