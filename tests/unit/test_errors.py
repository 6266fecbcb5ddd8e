"""The tree of errors: stable codes, sentences, hints."""

import pytest

from tracekeeper import errors
from tracekeeper.errors import InvalidPipeline, JobError, TracekeeperError
from tracekeeper.problems import Position, Problem

DEFINED = [
    error for error in vars(errors).values() if getattr(error, "__module__", "") == errors.__name__
]


def test_every_error_is_in_the_tree_and_has_a_code_of_its_own() -> None:
    assert all(issubclass(error, TracekeeperError) for error in DEFINED)
    assert len({error.code for error in DEFINED}) == len(DEFINED) > 1


@pytest.mark.parametrize("hint", ["", "try again"])
def test_an_error_is_its_sentence_and_carries_a_hint(hint: str) -> None:
    error = TracekeeperError("the disk is full", hint=hint)
    assert (str(error), error.message, error.hint) == ("the disk is full", "the disk is full", hint)


def test_a_job_error_carries_gitlabs_reason() -> None:
    error = JobError("the script failed", reason="script_failure", hint="read the log")
    assert (error.reason, error.message, error.hint) == (
        "script_failure",
        "the script failed",
        "read the log",
    )


def test_an_invalid_pipeline_shows_its_first_problem_and_carries_all() -> None:
    problems = [Problem("code", f"wrong {n}", Position("f.yml", n, 1)) for n in (1, 2)]
    error = InvalidPipeline(problems)
    assert error.problems == tuple(problems)
    assert str(error) == str(problems[0])


def test_an_invalid_pipeline_without_problems_is_still_a_sentence() -> None:
    assert str(InvalidPipeline([])) == "the pipeline file is not valid"
