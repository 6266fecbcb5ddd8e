"""Fixtures that read small pipeline files."""

from collections.abc import Callable
from textwrap import dedent, indent

import pytest

from tracekeeper.pipeline import node as nodes
from tracekeeper.pipeline.config import Config, JobConfig
from tracekeeper.pipeline.reader import read
from tracekeeper.pipeline.yaml import parse
from tracekeeper.problems import Problem


def _read(text: str) -> tuple[Config | None, list[Problem]]:
    problems: list[Problem] = []
    document = parse(dedent(text).encode(), "f", problems)
    assert isinstance(document, nodes.Mapping), problems
    assert not problems
    return read(document, problems), problems


def _job(keywords: str) -> str:
    """A document of one job, whose `keywords` begin at line 2, column 3."""
    return "job:\n" + indent(dedent(keywords).strip("\n"), "  ") + "\n"


@pytest.fixture
def config_of() -> Callable[[str], Config]:
    """Reads a document that has no errors."""

    def read_config(text: str) -> Config:
        config, problems = _read(text)
        assert config is not None, problems
        return config

    return read_config


@pytest.fixture
def findings_of() -> Callable[[str], list[str]]:
    """Reads a document; its problems as ``line:column code``, with ``warning`` where it is one."""

    def read_findings(text: str) -> list[str]:
        config, problems = _read(text)
        assert (config is None) == any(not problem.warning for problem in problems)
        return [
            f"{p.at.line}:{p.at.column} {p.code}{' warning' if p.warning else ''}" for p in problems
        ]

    return read_findings


@pytest.fixture
def messages_of() -> Callable[[str], list[str]]:
    """Reads a document; its problems as messages, each with its hint in parentheses."""

    def read_messages(text: str) -> list[str]:
        _, problems = _read(text)
        return [f"{p.message} ({p.hint})" if p.hint else p.message for p in problems]

    return read_messages


@pytest.fixture
def job_of(config_of: Callable[[str], Config]) -> Callable[[str], JobConfig]:
    """Reads the keywords of one job, to which ``script: [x]`` is added."""

    def read_job(keywords: str) -> JobConfig:
        return config_of(_job(dedent(keywords).strip("\n") + "\nscript: [x]")).jobs["job"]

    return read_job


@pytest.fixture
def job_messages_of(messages_of: Callable[[str], list[str]]) -> Callable[[str], list[str]]:
    """Reads the keywords of one job, to which ``script: [x]`` is added; its problems."""

    def read_messages(keywords: str) -> list[str]:
        return messages_of(_job(dedent(keywords).strip("\n") + "\nscript: [x]"))

    return read_messages
