"""Making a stream of bytes valid UTF-8, as gitlab-runner does."""

import re
from codecs import utf_8_decode

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_INVALID = re.compile("[\udc80-\udcff]")


class Utf8:
    """Replaces every byte that is not part of a valid UTF-8 sequence by U+FFFD.

    One U+FFFD for each *byte*, as in Go, not for each broken sequence, as in Python or a browser:
    E2 94 61 becomes two and an ``a``. A sequence that is not complete yet waits for its rest.
    """

    __slots__ = ("_tail", "replaced")

    def __init__(self) -> None:
        self._tail = b""
        self.replaced = 0
        """Bytes replaced so far."""

    @property
    def held(self) -> int:
        """How many bytes wait for the rest of their sequence: at most 3."""
        return len(self._tail)

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes; return the valid UTF-8 they make up."""
        text = self._tail + data
        if text.isascii():
            self._tail = b""
            return text
        try:
            _, used = utf_8_decode(text, "strict", False)
        except UnicodeDecodeError:
            return self._repair(text, final=False)
        self._tail = text[used:]
        return text[:used]

    def finish(self) -> bytes:
        """The stream has ended: a sequence that waits will never be complete."""
        return self._repair(self._tail, final=True)

    def _repair(self, text: bytes, *, final: bool) -> bytes:
        # This error handler stands for each invalid byte one surrogate, which valid UTF-8 has not.
        chars, used = utf_8_decode(text, "surrogateescape", final)
        self._tail = text[used:]
        fixed, count = _INVALID.subn(_REPLACEMENT, chars)
        self.replaced += count
        return fixed.encode()
