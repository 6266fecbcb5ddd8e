"""What is secret in one job, compiled once: finding it in bytes, and where it may be beginning.

What is secret in a text are *spans* of it:

- every occurrence of a masked value, also where occurrences overlap;
- what follows a token prefix such as ``glpat-``, as far as the token's alphabet goes;
- the value of a URL parameter such as ``private_token``.

Spans that share a byte are one secret. The rules are those of GitLab Runner's masking, except that
GitLab applies them one after the other, each to what the one before left of the text: there, of
two secrets that overlap the end of one stays readable.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from ahocorasick_rs import BytesAhoCorasick, MatchKind

MASK = b"[MASKED]"

DEFAULT_TOKEN_PREFIXES = (
    "glpat-",
    "gloas-",
    "gldt-",
    "glrt-",
    "glcbt-",
    "glrtr-",
    "glptt-",
    "glft-",
    "glimt-",
    "glagent-",
    "glsoat-",
    "glffct-",
    "_gitlab_session=",
    "gltok-",
)
"""https://docs.gitlab.com/security/tokens/#token-prefixes"""

HEAD = 64
"""Longer words are searched for by this many first bytes: an automaton's size and the time to
build it grow fast with its longest word, and keys and certificates are long."""

Span: TypeAlias = tuple[int, int]
"""Start and end of secret bytes."""

Alphabet: TypeAlias = re.Pattern[bytes]
"""The bytes that a token or a parameter's value consists of."""

_TOKEN: Alphabet = re.compile(rb"[A-Za-z0-9._=-]+")
_VALUE: Alphabet = re.compile(rb"[^?&\x00-\x20\x7f]+")
_PARAMETER = re.compile(
    rb"[?&](?:private_token|authenticity_token|rss_token"
    rb"|x-amz-signature|x-amz-credential|x-amz-security-token)="
)
"""To be searched for in lower case."""
_LONGEST_PARAMETER = len(b"?x-amz-security-token=")
_PARAMETER_BYTES = frozenset(b"?&=_-ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")

_FIRST_SAMPLE = 1024
_DECOYS = tuple(bytes([byte] * 3) for byte in (0xFA, 0xFB, 0xFC, 0xFD))
"""Words that UTF-8 never has. If all words had one of three bytes in common, the library would
search for these bytes alone, and do so at a thirtieth of its speed where they are frequent."""


class Masks:
    """The masked values and token prefixes of one job. Immutable; its `Masker`s share it.

    Values are trimmed; a value of several lines is masked as a whole.
    """

    __slots__ = (
        "_every",
        "_first",
        "_inner",
        "_words",
        "context",
        "longest",
        "prefixes",
        "prefixes_end_with_line",
        "sampler",
        "values",
        "within_lines",
    )

    def __init__(
        self, values: Iterable[str] = (), prefixes: Iterable[str] = DEFAULT_TOKEN_PREFIXES
    ) -> None:
        self.values = tuple(sorted({_bytes(value.strip()) for value in values} - {b""}))
        self.prefixes = tuple(sorted({_bytes(prefix) for prefix in prefixes} - {b""}))
        self._words = words = self.values + self.prefixes
        self.longest = max(map(len, self.values), default=0)
        self.context = max(_LONGEST_PARAMETER, *map(len, self.prefixes), 0)
        self.within_lines = not any(b"\n" in word for word in words)
        self.prefixes_end_with_line = not any(b"\n" in prefix for prefix in self.prefixes)
        self.sampler = Sampler(words)
        self._every = BytesAhoCorasick([word[:HEAD] for word in words], MatchKind.Standard)
        first = re.escape(bytes({value[0] for value in self.values if len(value) > 1}))
        self._first = re.compile(b"[" + first + b"]" if first else b"(?!)")
        self._inner = _PARAMETER_BYTES.union(*self.prefixes, *(value[:-1] for value in self.values))

    def is_clean(self, text: bytes) -> bool:
        """Whether no secret is or begins in `text`, as far as it goes."""
        return not (self.sampler.sample(text) or has_parameters(text))

    def spans(self, text: bytes) -> tuple[list[Span], Alphabet | None]:
        """The secrets in `text`, sorted; and the alphabet of the last one if it may go on."""
        found: list[Span] = []
        token_start = token_end = -1
        for i, start, _ in self._every.find_matches_as_indexes(text, overlapping=True):
            word = self._words[i]
            if not text.startswith(word, start):
                continue
            end = start + len(word)
            if i < len(self.values):
                found.append((start, end))
            elif not token_start <= end < token_end and (token := _TOKEN.match(text, end)):
                token_start, token_end = token.span()
                found.append((token_start, token_end))
        value_end = -1
        for key in _PARAMETER.finditer(text.lower()) if has_parameters(text) else ():
            if value := _VALUE.match(text, key.end()):
                value_end = value.end()
                found.append(value.span())
        found.sort()
        if value_end == len(text):
            return found, _VALUE  # it has every byte of _TOKEN too
        return found, _TOKEN if token_end == len(text) else None

    def is_over(self, text: bytes) -> bool:
        """Whether nothing that follows `text` can be a secret because of how it ends."""
        return not text or text[-1] not in self._inner

    def begins(self, text: bytes) -> int:
        """Where the longest end of `text` starts that may be the start of a value."""
        if self.is_over(text):
            return len(text)
        for first in self._first.finditer(text, max(0, len(text) - self.longest + 1)):
            tail = text[first.start() :]
            after = bisect_right(self.values, tail)
            if after < len(self.values) and self.values[after].startswith(tail):
                return first.start()
        return len(text)


def has_parameters(text: bytes) -> bool:
    """Whether `text` may hold a secret URL parameter; a quick look, not the last word."""
    if b"?" not in text and b"&" not in text:
        return False
    lower = text.lower()
    return b"_token=" in lower or b"x-amz-" in lower


class Sampler:
    """Tells fast which of many words, or heads of words, are in a text."""

    __slots__ = ("_automaton", "_longest")

    def __init__(self, words: Sequence[bytes]) -> None:
        heads = [word[:HEAD] for word in words]
        self._longest = max(map(len, heads), default=0)
        self._automaton = BytesAhoCorasick((*heads, *_DECOYS), MatchKind.LeftmostFirst)

    def sample(self, text: bytes) -> set[int]:
        """Indices of some words that are in `text`; empty only if none is. An index beyond the
        last word's stands for bytes that hardly any text has.

        Looks at ever larger pieces and stops at the first with a find: a find is dear (a Python
        object each), text without one is nearly free.
        """
        start, size = 0, _FIRST_SAMPLE
        while True:
            piece = text[start : start + size]
            if found := self._automaton.find_matches_as_indexes(piece):
                return {word for word, _, _ in found}
            start += size - self._longest
            if start + self._longest >= len(text):
                return set()
            size *= 4


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
