"""Masking against a slow version that sees the whole text at once."""

import re
from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tracekeeper.trace.masker import Masker, Masks

PARAMETERS = (
    "private_token",
    "authenticity_token",
    "rss_token",
    "x-amz-signature",
    "x-amz-credential",
    "x-amz-security-token",
)


def secret_bytes(text: bytes, values: list[bytes], prefixes: list[bytes]) -> list[tuple[int, int]]:
    """Every span of secret bytes, found position by position."""
    spans = []
    for at in range(len(text)):
        spans += [(at, at + len(v)) for v in values if v and text.startswith(v, at)]
        before = text[:at]
        if any(before.endswith(p) for p in prefixes if p):
            run = re.match(rb"[A-Za-z0-9._=-]*", text[at:])
            assert run
            spans.append((at, at + run.end()))
        lower = before.lower()
        if any(lower.endswith(f"{c}{p}=".encode()) for p in PARAMETERS for c in "?&"):
            run = re.match(rb"[^?&\x00-\x20\x7f]*", text[at:])
            assert run
            spans.append((at, at + run.end()))
    return [span for span in spans if span[0] < span[1]]


def slowly_masked(text: bytes, values: list[str], prefixes: list[str]) -> tuple[bytes, int]:
    words = [v.strip().encode() for v in values]
    spans = secret_bytes(text, words, [p.encode() for p in prefixes])
    inside = {at for start, end in spans for at in range(start + 1, end)}
    first = {start for start, _ in spans} - inside
    out = b""
    for at in range(len(text)):
        if at in first:
            out += b"[MASKED]"
        elif at not in inside:
            out += text[at : at + 1]
    return out, len(first)


def masked(masks: Masks, pieces: list[bytes]) -> tuple[bytes, int]:
    masker = Masker(masks)
    out = b""
    taken = 0
    for piece in pieces:
        taken += len(piece)
        out += masker.feed(piece)
        assert 0 <= masker.held < max(1, masks.longest)
        assert masker.held <= taken
    out += masker.finish()
    assert masker.held == 0
    return out, masker.secrets


def split(text: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return [text[a:b] for a, b in pairwise(places)]


WORDS = st.text(alphabet="ab", min_size=1, max_size=5)
TRICKY_WORDS = st.sampled_from(
    ["[", "]", "]a", "MASKED", "D]", "[M", "a[", "glpat-", "pat-a", "t-", "a\nb", "\n", "xgl",
     "glpat-ab", "bglp", "a?", "token=a", "é", "b "]
)  # fmt: skip
FRAGMENTS = st.sampled_from(
    [b"a", b"b", b"ab", b"aab", b"\n", b" ", b"glpat-", b"glp", b"at-", b"tok:", b"to", b"k:", b"&",
     b"?", b"?private_token=", b"&X-Amz-Signature=", b"?rss_tok", b"en=", b"[MASKED]", b"]", b"[M",
     b"a\nb", b"xglpat-", b"\xc3", b"\xa9", b"\xff", b"line\n", b"1\n2\n3\n"]
)  # fmt: skip


@settings(max_examples=1500, deadline=None)
@given(
    values=st.lists(WORDS | TRICKY_WORDS, max_size=4),
    prefixes=st.sampled_from([(), ("glpat-",), ("glpat-", "tok:"), ("ab", "ba"), ("a\n",)]),
    text=st.lists(FRAGMENTS, max_size=25).map(b"".join),
    cuts=st.lists(st.integers(0, 200), max_size=8),
)
@example(values=["hunter2hunter3"], prefixes=(), text=b"hunter2hunter2hunter3", cuts=[14])
@example(values=["aab"], prefixes=(), text=b"aaab", cuts=[2])
@example(values=["glpat-aab"], prefixes=("glpat-",), text=b"glpat-aaa b", cuts=[8])
def test_same_as_the_slow_version_for_any_split(
    values: list[str], prefixes: tuple[str, ...], text: bytes, cuts: list[int]
) -> None:
    masks = Masks(values, prefixes)
    expected = slowly_masked(text, values, list(prefixes))
    assert masked(masks, split(text, cuts)) == expected
    assert masked(masks, [text]) == expected
    assert masked(masks, [bytes([byte]) for byte in text]) == expected
