"""Regular expressions as automata: a search takes time linear in the text, whatever the pattern.

Pipeline files and what they match (branch names, commit messages) come from strangers. Python's
`re` backtracks, so a short pattern could stop the program for years; this machine follows all
alternatives at once, as RE2 does (Thompson, "Regular Expression Search Algorithm", 1968;
https://swtch.com/~rsc/regexp/regexp2.html). It answers only whether there is a match, which is
all that rules ask; greediness therefore does not exist here.
"""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import msgspec

MAX_REPEAT = 1000
"""How often a part may be repeated by ``{n,m}``, nested ones multiplied (RE2's limit)."""

MAX_PROGRAM = 10_000
"""Most instructions of one pattern. Bounds the work for each character of the text."""

_MAX_STEPS = 10_000
"""Steps remembered per pattern, before all are forgotten."""

CharTest: TypeAlias = Callable[[str], bool]
"""Whether a character is one of a set."""

PlaceTest: TypeAlias = Callable[[str, str], bool]
"""Whether a place between two characters fits; the empty string stands for "no character"."""


class RegexError(ValueError):
    """A pattern that is not valid, or too large."""


class Char(msgspec.Struct, frozen=True):
    """One character that passes the test."""

    test: CharTest


class Place(msgspec.Struct, frozen=True):
    """Nothing, at a place that passes the test."""

    test: PlaceTest


class Series(msgspec.Struct, frozen=True):
    """All parts, one after the other."""

    parts: tuple["Tree", ...]


class Choice(msgspec.Struct, frozen=True):
    """Any one of the options."""

    options: tuple["Tree", ...]


class Repeat(msgspec.Struct, frozen=True):
    """The body, `least` to `most` times; None is without limit."""

    body: "Tree"
    least: int
    most: int | None


Tree: TypeAlias = Char | Place | Series | Choice | Repeat


class _Fork(msgspec.Struct):
    """Go on at every target at once."""

    targets: list[int]


class _Accept(msgspec.Struct, frozen=True):
    """The pattern has matched."""


_Program: TypeAlias = list[Char | Place | _Fork | _Accept]


class Automaton:
    """A compiled pattern. Raises RegexError if it is too large."""

    __slots__ = ("_program", "_steps")

    def __init__(self, tree: Tree) -> None:
        self._program: _Program = []
        self._emit(tree, MAX_REPEAT)
        self._program.append(_Accept())
        self._steps: dict[tuple[frozenset[int], str, str], tuple[bool, frozenset[int]]] = {}

    def search(self, text: str) -> bool:
        """Whether the pattern matches anywhere in `text`."""
        live: frozenset[int] = frozenset()
        before = ""
        for after in _characters_and_end(text):
            key = (live, _kind(before), after)
            step = self._steps.get(key)
            if step is None:
                step = self._remember(key)
            matched, live = step
            if matched:
                return True
            before = after
        return False

    def _remember(self, key: tuple[frozenset[int], str, str]) -> tuple[bool, frozenset[int]]:
        if len(self._steps) >= _MAX_STEPS:
            self._steps.clear()
        step = self._steps[key] = self._step(*key)
        return step

    def _step(self, live: frozenset[int], before: str, after: str) -> tuple[bool, frozenset[int]]:
        """Whether a match ends between the two characters, else what is live after `after`."""
        reached: set[int] = set()
        following: set[int] = set()
        waiting = [0, *live]
        while waiting:
            at = waiting.pop()
            if at in reached:
                continue
            reached.add(at)
            match self._program[at]:
                case _Accept():
                    return True, frozenset()
                case _Fork(targets):
                    waiting += targets
                case Place(test):
                    waiting += [at + 1] * test(before, after)
                case Char(test) if after and test(after):
                    following.add(at + 1)
        return False, frozenset(following)

    def _emit(self, tree: Tree, budget: int) -> None:
        """Append the instructions of `tree`, which may be repeated `budget` times at most."""
        if len(self._program) > MAX_PROGRAM:
            raise RegexError("the pattern is too large")
        match tree:
            case Series(parts):
                for part in parts:
                    self._emit(part, budget)
            case Choice(options):
                self._emit_choice(options, budget)
            case Repeat(body, least, most):
                self._emit_repeat(body, least, most, budget)
            case _:
                self._program.append(tree)

    def _emit_choice(self, options: tuple[Tree, ...], budget: int) -> None:
        entry = self._fork()
        exits = []
        for option in options:
            entry.targets.append(len(self._program))
            self._emit(option, budget)
            exits.append(self._fork())
        for fork in exits:
            fork.targets.append(len(self._program))

    def _emit_repeat(self, body: Tree, least: int, most: int | None, budget: int) -> None:
        budget //= max(1, least if most is None else most)
        if budget == 0:
            raise RegexError(f"a part is repeated more than {MAX_REPEAT} times")
        for _ in range(least):
            self._emit(body, budget)
        if most is None:
            self._emit_loop(body, budget)
            return
        exits = []
        for _ in range(most - least):
            exits.append(self._fork(len(self._program) + 1))
            self._emit(body, budget)
        for fork in exits:
            fork.targets.append(len(self._program))

    def _emit_loop(self, body: Tree, budget: int) -> None:
        start = len(self._program)
        entry = self._fork(start + 1)
        self._emit(body, budget)
        self._fork(start)
        entry.targets.append(len(self._program))

    def _fork(self, *targets: int) -> _Fork:
        fork = _Fork([*targets])
        self._program.append(fork)
        return fork


def is_word(char: str) -> bool:
    r"""Whether `char` is one of RE2's ``\\w``: an ASCII letter, digit or underscore."""
    return char.isascii() and (char.isalnum() or char == "_") and char != ""


def _kind(char: str) -> str:
    """A stand-in for `char` that every `PlaceTest` judges alike, so that steps are shared."""
    if char in ("", "\n"):
        return char
    return "a" if is_word(char) else " "


def _characters_and_end(text: str) -> Iterator[str]:
    yield from text
    yield ""
