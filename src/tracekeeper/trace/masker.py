"""Masking a stream of bytes: exact however the stream is split, and holding back little."""

from tracekeeper.trace.masks import DEFAULT_TOKEN_PREFIXES, MASK, Alphabet, Masks, Span
from tracekeeper.trace.replacing import Replacer

__all__ = ["DEFAULT_TOKEN_PREFIXES", "MASK", "Masker", "Masks"]


class Masker:
    """Replaces every secret of one stream by ``[MASKED]``.

    What may be the start of a masked value is held back until more is known: fewer bytes than
    the longest value has. Tokens and URL parameters are never held back: their mask goes out
    when their first byte comes in.
    """

    __slots__ = ("_done", "_kept", "_masks", "_open", "_replacer", "secrets")

    def __init__(self, masks: Masks) -> None:
        self._masks = masks
        self._replacer: Replacer | None = None
        # The last bytes of the stream: what is held back, and before it what a prefix may need.
        self._kept = b""
        # How many of them went out, as they are or masked.
        self._done = 0
        # If the stream is in a token or a parameter's value: the bytes these consist of.
        self._open: Alphabet | None = None
        self.secrets = 0

    @property
    def held(self) -> int:
        """How many bytes are held back because they may be the start of a secret."""
        return len(self._kept) - self._done

    @property
    def settled(self) -> bool:
        """Whether a new masker would go on as this one does: nothing is held back, and no secret
        reaches from what went out into what comes."""
        if self._open or self.held:
            return False
        return not self._kept or (self._kept.endswith(b"\n") and self._masks.prefixes_end_with_line)

    def copy(self) -> "Masker":
        """Another masker that stands where this one does."""
        other = Masker(self._masks)
        other._kept, other._done, other._open = self._kept, self._done, self._open
        return other

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes; return what may be shown by now."""
        if not data:
            return b""
        text = self._kept + data
        if not self._open and self._masks.is_clean(text):
            return self._release(text, [], self._masks.begins(text))
        first, last = data.find(b"\n") + 1, data.rfind(b"\n") + 1
        if first < last and self._masks.within_lines:
            lines = data[first:last]
            parts = self._scan(data[:first]), self._lines(lines), self._scan(data[last:])
            return b"".join(parts)
        return self._scan(data)

    def finish(self) -> bytes:
        """The stream has ended: return what was held back. The masker is as new then."""
        text = self._kept
        spans, _ = self._masks.spans(text)
        out = self._release(text, spans, len(text))
        self._kept, self._done, self._open = b"", 0, None
        return out

    def _lines(self, lines: bytes) -> bytes:
        # No secret reaches over a newline, so that nothing is kept before and after.
        if self._replacer is None:
            self._replacer = Replacer(self._masks)
        if (masked := self._replacer.mask(lines)) is None:
            return self._scan(lines)
        text, count = masked
        self.secrets += count
        return text

    def _scan(self, data: bytes) -> bytes:
        text = self._kept + data
        spans, going_on = self._masks.spans(text)
        if self._open and (more := self._open.match(text, self._done)):
            spans.insert(0, (self._done - 1, more.end()))
            if more.end() == len(text):
                going_on = self._open
        out = self._release(text, spans, self._masks.begins(text))
        # A token that is held back will be found again, by its prefix.
        self._open = going_on if not self.held else None
        return out

    def _release(self, text: bytes, spans: list[Span], hold: int) -> bytes:
        """Pass on `text` masked, except what from `hold` on is undecided."""
        parts: list[bytes] = []
        at = self._done
        for start, end in spans:
            if start >= max(at, hold):
                break
            if start >= at:
                parts += text[at:start], MASK
                self.secrets += 1
            at = max(at, end)
        if at < hold:
            parts.append(text[at:hold])
            at = hold
        keep = hold if self._masks.is_over(text) else max(0, hold - self._masks.context)
        self._kept = text[keep:]
        self._done = at - keep
        return b"".join(parts)
