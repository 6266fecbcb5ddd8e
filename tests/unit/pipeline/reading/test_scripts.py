from collections.abc import Callable

import pytest

from tracekeeper.pipeline.config import Config, JobConfig

Messages = Callable[[str], list[str]]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("make", ("make",)),
        ("[a, b]", ("a", "b")),
        ("[a, [b, [c]], d]", ("a", "b", "c", "d")),
        ("[a: b]", None),
        ('["a: b"]', ("a: b",)),
        ('[""]', ("",)),
        ("|\n    one\n    two", ("one\ntwo\n",)),
    ],
)
def test_scripts(
    config_of: Callable[[str], Config],
    messages_of: Messages,
    written: str,
    read: tuple[str, ...] | None,
) -> None:
    text = f"job:\n  script: {written}\n"
    if read is None:
        hint = "put the command in quotes: with `: ` in it, YAML reads a mapping"
        message = f"`script` must be a list of commands, not a mapping ({hint})"
        assert messages_of(text) == [message]
    else:
        assert config_of(text).jobs["job"].script == read


@pytest.mark.parametrize("written", ["[]", '""'])
def test_a_script_is_not_empty(messages_of: Messages, written: str) -> None:
    assert messages_of(f"job: {{script: {written}}}") == ["`script` must not be empty"]


def test_a_list_that_nests_too_deep_is_not_empty_as_well(messages_of: Messages) -> None:
    text = f"job: {{script: {'[' * 12}x{']' * 12}}}"
    assert messages_of(text) == ["`script` nests lists deeper than 10 levels"]


def test_other_scripts_may_be_empty(job_of: Callable[[str], JobConfig]) -> None:
    job = job_of("before_script: []\nafter_script: [a]")
    assert (job.before_script, job.after_script) == ((), ("a",))


def test_hooks(job_of: Callable[[str], JobConfig]) -> None:
    job = job_of("hooks: {pre_get_sources_script: [a, b]}")
    assert job.pre_get_sources_script == ("a", "b")
    assert job_of("hooks: {}").pre_get_sources_script == ()


def test_numbers_are_no_commands(job_messages_of: Messages) -> None:
    assert job_messages_of("before_script: [5]") == [
        '`before_script` must be a string, not a number (write it in quotes: "5")'
    ]
