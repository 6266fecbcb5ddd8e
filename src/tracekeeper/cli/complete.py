"""``tracekeeper _complete``, which the scripts of ``tracekeeper completion`` call."""

import re
from collections.abc import Iterator, Sequence

import click
from click.shell_completion import CompletionItem, ShellComplete, split_arg_string

from tracekeeper.cli.cells import plain

_SPECIAL = re.compile(r"([^A-Za-z0-9_./:=@%+,-])")


@click.command(name="_complete", hidden=True)
@click.option("--bash", is_flag=True)
@click.argument("words", nargs=-1)
def command(words: tuple[str, ...], bash: bool) -> None:
    """Print what the last of WORDS may become, one a line, with a help text behind a tab.

    With --bash, WORDS are the command line up to the cursor, and what bash takes for the word
    to complete; what is printed replaces that.
    """
    if bash:
        line, replaced = words
        found = _for_bash(line, replaced)
    else:
        found = (f"{item.value}\t{plain(item.help or '')}" for item in _items(words))
    for text in found:
        click.echo(text)


def _items(words: Sequence[str]) -> Sequence[CompletionItem]:
    """What the last of `words` may become."""
    from tracekeeper.cli.main import cli

    *typed, incomplete = words or ("",)
    shell = ShellComplete(cli, {}, "tracekeeper", "_TRACEKEEPER_COMPLETE")
    return [
        item
        for item in shell.get_completions(typed, incomplete)
        if item.type == "plain" and item.value == plain(item.value)
    ]


def _for_bash(line: str, replaced: str) -> Iterator[str]:
    """Bash splits words at colons too (COMP_WORDBREAKS) and replaces what is behind the last:
    `replaced`. What stands before that in the word is cut off."""
    words = split_arg_string(line)[1:]
    if _ends_a_word(line):
        words.append("")
    word = words[-1] if words else ""
    quoted = _is_open(line)
    behind = "".join(split_arg_string(replaced))
    kept = len(word) - len(behind) if word.endswith(behind) else 0
    for item in _items(words):
        text = item.value[kept:]
        yield text if quoted else _SPECIAL.sub(r"\\\1", text)


def _ends_a_word(line: str) -> bool:
    """Whether a new word begins at the end of `line`."""
    return split_arg_string(line + "x")[-1:] == ["x"]


def _is_open(line: str) -> bool:
    """Whether the end of `line` is inside quotes."""
    quote = ""
    for match in re.finditer(r"\\.|['\"]", line):
        char = match[0]
        if char in ("'", '"') and quote in ("", char):
            quote = "" if quote else char
    return quote != ""
