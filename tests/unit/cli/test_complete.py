import click
import pytest
from click.testing import CliRunner

from tracekeeper.cli import complete, options


@pytest.fixture(autouse=True)
def jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["build: [a, b]", "deploy:stage one", "cost $5 'x'", "bad\njob"]

    def complete_job(ctx: click.Context, parameter: click.Parameter, typed: str) -> list[str]:
        return [name for name in names if name.startswith(typed)]

    from tracekeeper.cli import run

    monkeypatch.setattr(options, "complete_job", complete_job)
    (argument,) = (each for each in run.command.params if isinstance(each, click.Argument))
    monkeypatch.setattr(argument, "_custom_shell_complete", complete_job)


def completed(*arguments: str) -> list[str]:
    result = CliRunner().invoke(complete.command, arguments)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ((), "run\tRun the pipeline, or some of its jobs, here and now."),
        (("comp",), "completion\tPrint the completion script of a shell."),
        (("run", ""), "build: [a, b]\t"),
        (("run", "-e", "d"), "docker\t"),
    ],
)
def test_words_come_with_their_help(words: tuple[str, ...], first: str) -> None:
    assert completed("--", *words)[0] == first


def test_names_that_no_shell_could_hold_are_left_out() -> None:
    assert completed("--", "run", "bad") == []


@pytest.mark.parametrize(
    ("line", "replaced", "wanted"),
    [
        ("tracekeeper run bui", "bui", r"build:\ \[a,\ b\]"),
        (r"tracekeeper run build:\ \[", r"\ \[", r"\ \[a,\ b\]"),
        ("tracekeeper run deploy:", "", r"stage\ one"),
        ("tracekeeper run deploy:s", "s", r"stage\ one"),
        ("tracekeeper run 'dep", "dep", "deploy:stage one"),
        ('tracekeeper run "dep', "dep", "deploy:stage one"),
        (r"tracekeeper run \'x dep", "dep", r"deploy:stage\ one"),
        ("tracekeeper run 'a b' \"it's\" dep", "dep", r"deploy:stage\ one"),
        ("tracekeeper run co", "co", r"cost\ \$5\ \'x\'"),
        ("tracekeeper run -e doc", "doc", "docker"),
        ("tracekeeper comp", "comp", "completion"),
    ],
)
def test_bash_gets_quoted_what_it_replaces(line: str, replaced: str, wanted: str) -> None:
    assert completed("--bash", "--", line, replaced) == [wanted]


def test_bash_at_the_beginning_of_a_word() -> None:
    assert len(completed("--bash", "--", "tracekeeper run ", "")) == 3
