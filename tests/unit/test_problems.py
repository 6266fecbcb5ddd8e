"""Positions and problems as a person reads them."""

import pytest

from tracekeeper.problems import Position, Problem

AT = Position(".gitlab-ci.yml", 3, 7)


def test_a_position_reads_as_compilers_print_it() -> None:
    assert str(AT) == ".gitlab-ci.yml:3:7"


def test_positions_sort_by_file_line_and_column() -> None:
    places = [Position("b", 1, 1), Position("a", 10, 1), Position("a", 2, 9), Position("a", 2, 1)]
    assert [str(place) for place in sorted(places)] == ["a:2:1", "a:2:9", "a:10:1", "b:1:1"]


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem("x", "unknown", AT), ".gitlab-ci.yml:3:7: error: unknown"),
        (Problem("x", "odd", AT, warning=True), ".gitlab-ci.yml:3:7: warning: odd"),
        (Problem("x", "bad", AT, "say good"), ".gitlab-ci.yml:3:7: error: bad (say good)"),
    ],
)
def test_a_problem_says_where_how_grave_what_and_what_would_be_right(
    problem: Problem, text: str
) -> None:
    assert str(problem) == text
