r"""Regular expressions in RE2's syntax, which GitLab uses for rules.

The whole syntax is read (https://github.com/google/re2/wiki/Syntax) but for ``\C`` and Unicode
scripts (``\p{Greek}``; categories such as ``\p{Lu}`` are there). What RE2 refuses, lookaround,
back-references and ``\Z`` among it, is refused here.
"""

import re
import unicodedata
from functools import lru_cache

from tracekeeper.pipeline.automaton import (
    Automaton,
    Char,
    CharTest,
    Choice,
    Place,
    RegexError,
    Repeat,
    Series,
    Tree,
    is_word,
)

__all__ = ["Automaton", "RegexError", "compile_literal"]

MAX_LENGTH = 10_000
MAX_DEPTH = 100

_LITERAL = re.compile(r"^/(.*)/([ismU]*)$", re.MULTILINE)
_COUNT = re.compile(r"\{([0-9]+)(,([0-9]*))?\}")
_REPEAT = re.compile(rf"[*+?]|{_COUNT.pattern}")
_QUOTED = re.compile(r"\\Q(.*?)(?:\\E|$)|\\.", re.DOTALL)
_GROUP_START = re.compile(r"\((?:\?P?<\w+>|(?!\?))")
_FLAGS = re.compile(r"\(\?([imsU]*)(?:-([imsU]+))?([:)])")
_HEX = re.compile(r"\\x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]{1,6})\})")
_OCTAL = re.compile(r"\\(0[0-7]{0,2}|[1-7][0-7]{1,2})")
_UNICODE_CLASS = re.compile(r"\\([pP])(?:([A-Z])|\{(\^?)(\w+)\})")
_POSIX_CLASS = re.compile(r"\[:(\^?)(\w+):\]")

_ESCAPES = {"a": "\a", "f": "\f", "t": "\t", "n": "\n", "r": "\r", "v": "\v"}
_PERL = {"d": "09", "s": "\t\n\f\r  ", "w": "09AZaz__"}
_POSIX = {
    "alnum": "09AZaz",
    "alpha": "AZaz",
    "ascii": "\0\x7f",
    "blank": "\t\t  ",
    "cntrl": "\0\x1f\x7f\x7f",
    "digit": "09",
    "graph": "!~",
    "lower": "az",
    "print": " ~",
    "punct": "!/:@[`{~",
    "space": "\t\r  ",
    "upper": "AZ",
    "word": "09AZaz__",
    "xdigit": "09AFaf",
}


@lru_cache(maxsize=1024)
def compile_literal(literal: str) -> Automaton:
    r"""The pattern written as ``/…/flags``, where ``\/`` stands for ``/``. Raises RegexError.

    Flags: ``i`` ignores case, ``s`` lets ``.`` match a newline, ``m`` lets ``^`` and ``$`` match
    at lines, ``U`` changes nothing here.
    """
    parts = _LITERAL.search(literal.replace("\\/", "/"))
    if parts is None:
        raise RegexError("it has to be written between two slashes, as in /^release-/")
    pattern, flags = parts.groups()
    if len(pattern) > MAX_LENGTH:
        raise RegexError(f"the pattern has more than {MAX_LENGTH} characters")
    return Automaton(_Parser(_unquoted(pattern), flags).parse())


def _unquoted(pattern: str) -> str:
    r"""`pattern` with ``\Q…\E`` written as escapes."""

    def escaped(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0]
        return "".join(f"\\x{{{ord(char):x}}}" for char in match[1])

    return _QUOTED.sub(escaped, pattern)


class _Parser:
    """Recursive descent over RE2's syntax."""

    __slots__ = ("_at", "_depth", "_flags", "_text")

    def __init__(self, text: str, flags: str) -> None:
        self._text = text
        self._flags = frozenset(flags)
        self._at = 0
        self._depth = 0

    def parse(self) -> Tree:
        tree = self._choice()
        if self._at < len(self._text):
            raise RegexError("there is a ) without its (")
        return tree

    def _choice(self) -> Tree:
        options = [self._series()]
        while self._take("|"):
            options.append(self._series())
        return options[0] if len(options) == 1 else Choice(tuple(options))

    def _series(self) -> Tree:
        parts: list[Tree] = []
        while self._at < len(self._text) and self._peek() not in "|)":
            if self._set_flags():
                continue
            parts.append(self._repeated())
        return parts[0] if len(parts) == 1 else Series(tuple(parts))

    def _repeated(self) -> Tree:
        if found := self._match(_REPEAT):
            raise RegexError(f"there is nothing before {found[0]} that it could repeat")
        atom = self._atom()
        found = self._match(_REPEAT)
        if found is None:
            return atom
        self._take("?")
        if again := self._match(_REPEAT):
            raise RegexError(f"{again[0]} follows another repetition")
        return _repeat(atom, found[0])

    def _atom(self) -> Tree:
        char = self._peek()
        if char == "(":
            return self._group()
        if char == "[":
            return self._bracket()
        if char == "\\":
            return self._escape()
        self._at += 1
        if char == ".":
            return Char(_anything if "s" in self._flags else _not_newline)
        if char == "^":
            return Place(_at_line_start if "m" in self._flags else _at_start)
        if char == "$":
            return Place(_at_line_end if "m" in self._flags else _at_end)
        return Char(self._folded(_between(char, char)))

    def _group(self) -> Tree:
        outer = self._flags
        if start := self._match(_FLAGS):
            self._flags = _changed(self._flags, start)
        elif not self._match(_GROUP_START):
            raise RegexError(f"RE2 knows no group that starts with {self._text[self._at :][:3]}")
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise RegexError(f"groups are nested more than {MAX_DEPTH} deep")
        tree = self._choice()
        if not self._take(")"):
            raise RegexError("a ( has no )")
        self._depth -= 1
        self._flags = outer
        return tree

    def _set_flags(self) -> bool:
        """Read ``(?i)``, which holds up to the end of the group it stands in."""
        found = _FLAGS.match(self._text, self._at)
        if found is None or found[3] == ":":
            return False
        self._flags = _changed(self._flags, found)
        self._at = found.end()
        return True

    def _escape(self) -> Tree:
        places = {"A": _at_start, "z": _at_end, "b": _at_word_edge, "B": _within}
        if place := places.get(self._text[self._at + 1 : self._at + 2]):
            self._at += 2
            return Place(place)
        if test := self._class_escape():
            return Char(test)
        char = self._char_escape()
        return Char(self._folded(_between(char, char)))

    def _class_escape(self) -> CharTest | None:
        r"""``\d``, ``\PL`` and their like, at a backslash; None where it is not one of them."""
        if found := self._match(_UNICODE_CLASS):
            negated = (found[1] == "P") != bool(found[3])
            return _inverted(self._folded(_category(found[2] or found[4])), negated)
        letter = self._text[self._at + 1 : self._at + 2]
        ranges = _PERL.get(letter.lower())
        if ranges is None:
            return None
        self._at += 2
        return _inverted(_any_of(_ranges(ranges)), letter.isupper())

    def _char_escape(self) -> str:
        """The character that an escape stands for."""
        if found := self._match(_HEX):
            return _character(int(found[1] or found[2], 16))
        if found := self._match(_OCTAL):
            return chr(int(found[1], 8))
        char = self._text[self._at + 1 : self._at + 2]
        if char not in _ESCAPES and (not char.isascii() or char.isalnum() or not char):
            raise RegexError(f"RE2 knows no escape \\{char}")
        self._at += 2
        return _ESCAPES.get(char, char)

    def _bracket(self) -> Tree:
        self._at += 1
        negated = self._take("^")
        tests = [self._member()]
        while not self._take("]"):
            tests.append(self._member())
        return Char(_inverted(_any_of(tests), negated))

    def _member(self) -> CharTest:
        """One entry of a class; a ``]`` is read as one only where the class would be empty."""
        if found := self._match(_POSIX_CLASS):
            return self._folded(_inverted(_any_of(_posix(found[2])), bool(found[1])))
        if self._peek() == "\\" and (test := self._class_escape()):
            return test
        low = high = self._member_char()
        if self._peek() == "-" and self._text[self._at + 1 : self._at + 2] != "]":
            self._at += 1
            high = self._member_char()
        if low > high:
            raise RegexError(f"the range {low}-{high} runs backwards")
        return self._folded(_between(low, high))

    def _member_char(self) -> str:
        char = self._peek()
        if not char:
            raise RegexError("a [ has no ]")
        if char == "\\":
            return self._char_escape()
        self._at += 1
        return char

    def _folded(self, test: CharTest) -> CharTest:
        if "i" not in self._flags:
            return test
        return lambda char: any(map(test, _cases(char)))

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self, char: str) -> bool:
        taken = self._peek() == char
        self._at += taken
        return taken

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._text, self._at)
        if found:
            self._at = found.end()
        return found


def _repeat(body: Tree, operator: str) -> Tree:
    count = _COUNT.fullmatch(operator)
    if count is None:
        return Repeat(body, int(operator == "+"), 1 if operator == "?" else None)
    least = int(count[1])
    most = least if count[2] is None else int(count[3]) if count[3] else None
    if most is not None and most < least:
        raise RegexError(f"{operator} asks for more than it allows")
    return Repeat(body, least, most)


def _changed(flags: frozenset[str], found: re.Match[str]) -> frozenset[str]:
    return (flags | set(found[1])) - set(found[2] or "")


def _character(code: int) -> str:
    if code > 0x10FFFF:
        raise RegexError(f"there is no character {code:x}")
    return chr(code)


def _cases(char: str) -> set[str]:
    """`char` in every case, as far as that is one character."""
    return {char, char.lower(), char.upper(), char.casefold()}


def _between(low: str, high: str) -> CharTest:
    return lambda char: low <= char <= high and len(char) == 1


def _ranges(bounds: str) -> list[CharTest]:
    return [_between(*pair) for pair in zip(bounds[::2], bounds[1::2], strict=True)]


def _posix(name: str) -> list[CharTest]:
    if name not in _POSIX:
        raise RegexError(f"RE2 knows no class [:{name}:]")
    return _ranges(_POSIX[name])


def _category(name: str) -> CharTest:
    if name == "Any":
        return _anything
    if not re.fullmatch("[CLMNPSZ][a-z]?", name):
        raise RegexError(f"\\p{{{name}}} is not supported: only categories such as \\p{{Lu}} are")
    return lambda char: unicodedata.category(char).startswith(name)


def _any_of(tests: list[CharTest]) -> CharTest:
    return lambda char: any(test(char) for test in tests)


def _inverted(test: CharTest, negated: bool) -> CharTest:
    return (lambda char: not test(char)) if negated else test


def _anything(_char: str) -> bool:
    return True


def _not_newline(char: str) -> bool:
    return char != "\n"


def _at_start(before: str, _after: str) -> bool:
    return not before


def _at_end(_before: str, after: str) -> bool:
    return not after


def _at_line_start(before: str, _after: str) -> bool:
    return before in ("", "\n")


def _at_line_end(_before: str, after: str) -> bool:
    return after in ("", "\n")


def _at_word_edge(before: str, after: str) -> bool:
    return is_word(before) != is_word(after)


def _within(before: str, after: str) -> bool:
    return is_word(before) == is_word(after)
