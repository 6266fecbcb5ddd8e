"""Masking against a slow version that sees the whole text at once."""

import re
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tracekeeper.trace.masker import DEFAULT_TOKEN_PREFIXES, Masker, Masks

PARAMETERS = (
    "private_token",
    "authenticity_token",
    "rss_token",
    "x-amz-signature",
    "x-amz-credential",
    "x-amz-security-token",
)


def secret_spans(text: bytes, values: list[bytes], prefixes: list[bytes]) -> list[tuple[int, int]]:
    """Every span of secret bytes, found place by place."""
    spans = []
    for at in range(len(text)):
        spans += [(at, at + len(value)) for value in values if value and text.startswith(value, at)]
        before, rest = text[:at], text[at:]
        if any(before.endswith(prefix) for prefix in prefixes if prefix):
            spans += [
                (at, at + found.end()) for found in [re.match(rb"[A-Za-z0-9._=-]+", rest)] if found
            ]
        if before.lower().endswith(tuple(f"{c}{p}=".encode() for p in PARAMETERS for c in "?&")):
            spans += [
                (at, at + found.end())
                for found in [re.match(rb"[^?&\x00-\x20\x7f]+", rest)]
                if found
            ]
    return spans


def slowly_masked(text: bytes, values: list[str], prefixes: list[str]) -> tuple[bytes, int]:
    words = [value.strip().encode() for value in values]
    spans = secret_spans(text, words, [prefix.encode() for prefix in prefixes])
    later = {at for start, end in spans for at in range(start + 1, end)}
    first = {start for start, _ in spans} - later
    out = b""
    for at in range(len(text)):
        if at in first:
            out += b"[MASKED]"
        elif at not in later:
            out += text[at : at + 1]
    return out, len(first)


def masked(masks: Masks, pieces: list[bytes]) -> tuple[bytes, int]:
    masker = Masker(masks)
    out = b""
    for piece in pieces:
        out += masker.feed(piece)
        assert 0 <= masker.held < max(1, masks.longest)
    out += masker.finish()
    assert masker.held == 0
    return out, masker.secrets


def split(text: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted([0, len(text), *(cut % (len(text) + 1) for cut in cuts)])
    return [text[a:b] for a, b in pairwise(places)]


def single(text: bytes) -> list[bytes]:
    return [bytes([byte]) for byte in text]


WORDS = st.text(alphabet="ab", min_size=1, max_size=5)
TRICKY_WORDS = st.sampled_from(
    ["[", "]", "]a", "MASKED", "D]", "[M", "a[", "glpat-", "pat-a", "t-", "a\nb", "\n", "xgl",
     "glpat-ab", "bglp", "a?", "token=a", "é", "b "]
)  # fmt: skip
FRAGMENTS = st.sampled_from(
    [b"a", b"b", b"ab", b"aab", b"\n", b" ", b"glpat-", b"glp", b"at-", b"tok:", b"to", b"k:", b"&",
     b"?", b"?private_token=", b"&X-Amz-Signature=", b"?rss_tok", b"en=", b"[MASKED]", b"]", b"[M",
     b"a\nb", b"xglpat-", b"\xc3", b"\xa9", b"\xff", b"\xfa\xfa\xfa", b"line\n", b"1\n2\n3\n"]
)  # fmt: skip
TEXTS = st.lists(FRAGMENTS, max_size=25).map(b"".join)
PREFIXES = st.sampled_from([(), ("glpat-",), ("glpat-", "tok:"), ("ab", "ba"), ("a\n",)])
CUTS = st.lists(st.integers(0, 200), max_size=8)


@settings(max_examples=400)
@given(values=st.lists(WORDS | TRICKY_WORDS, max_size=4), prefixes=PREFIXES, text=TEXTS, cuts=CUTS)
@example(values=["hunter2hunter3"], prefixes=(), text=b"hunter2hunter2hunter3", cuts=[14])
@example(values=["aab"], prefixes=(), text=b"aaab", cuts=[2])
@example(values=["glpat-aab"], prefixes=("glpat-",), text=b"glpat-aaa b", cuts=[8])
@example(values=["pat-a"], prefixes=(), text=b"?private_token=glpat-glpat-", cuts=[24])
@example(values=["ba"], prefixes=("ba",), text=b"1\nbaa\n2", cuts=[])
def test_same_as_the_slow_version_for_any_split(
    values: list[str], prefixes: tuple[str, ...], text: bytes, cuts: list[int]
) -> None:
    masks = Masks(values, prefixes)
    expected = slowly_masked(text, values, list(prefixes))
    assert masked(masks, split(text, cuts)) == expected
    assert masked(masks, [text]) == expected
    assert masked(masks, single(text)) == expected


@given(
    values=st.lists(st.text("abcdefgh", min_size=2, max_size=6), min_size=1, max_size=5),
    picks=st.lists(st.integers(0, 9), min_size=3, max_size=30),
)
def test_many_lines_at_once(values: list[str], picks: list[int]) -> None:
    secrets = [value.encode() for value in values]
    lines = [b"1 %s 2\n" % secrets[pick] if pick < len(secrets) else b"xyz\n" for pick in picks]
    text = b"".join(lines)
    out, count = slowly_masked(text, values, [])
    assert masked(Masks(values), [text]) == (out, count)
    assert masked(Masks(values), [text, text]) == (out + out, 2 * count)


@pytest.mark.parametrize("prefix", DEFAULT_TOKEN_PREFIXES)
def test_the_tokens_of_gitlab_are_masked_without_being_asked(prefix: str) -> None:
    text = f"a {prefix}Az09._=- b".encode()
    assert masked(Masks(), single(text)) == (f"a {prefix}[MASKED] b".encode(), 1)


@pytest.mark.parametrize("prefix", ["?", "&"])
@pytest.mark.parametrize("name", PARAMETERS)
def test_secret_url_parameters_are_masked_in_any_case(name: str, prefix: str) -> None:
    for spelt in (name, name.upper(), name.title()):
        text = f"GET /a{prefix}{spelt}=s3/cr%20et&b=1\n".encode()
        expected = f"GET /a{prefix}{spelt}=[MASKED]&b=1\n".encode()
        assert masked(Masks(), single(text)) == (expected, 1)


def test_more_than_fifteen_prefixes_of_the_job_are_masked_too() -> None:
    own = [f"own{n}:" for n in range(40)]
    text = b" ".join(f"{prefix}secret".encode() for prefix in own)
    out, count = masked(Masks((), (*DEFAULT_TOKEN_PREFIXES, *own)), [text])
    assert (out.count(b"secret"), count) == (0, 40)


def test_a_token_of_megabytes_is_masked_once_in_little_memory() -> None:
    masker = Masker(Masks(["value"]))
    out = masker.feed(b"glpat-")
    for _ in range(64):
        out += masker.feed(b"x" * 65536)
        assert masker.held == 0
        assert len(masker._kept) <= masker._masks.context
    assert out + masker.feed(b"x end") + masker.finish() == b"glpat-[MASKED] end"
    assert masker.secrets == 1


def test_a_token_goes_on_after_a_read_of_nothing() -> None:
    pieces = [b"glpat-" + b"x" * 100, b"", b"y z"]
    assert masked(Masks(), pieces) == (b"glpat-[MASKED] z", 1)


def test_a_value_that_begins_in_a_token_and_outlasts_it() -> None:
    masks = Masks(["abc def"])
    assert masked(masks, single(b"glpat-xxabc def.")) == (b"glpat-[MASKED].", 1)


def test_a_long_value_that_turns_out_to_be_another_token_after_all() -> None:
    value = "v" * 5000
    text = b"glpat-" + b"v" * 4999 + b" x"
    assert masked(Masks([value]), split(text, [6, 3000, 5000, 5005])) == (b"glpat-[MASKED] x", 1)


def test_values_are_trimmed_and_may_have_several_lines() -> None:
    masks = Masks(["  key  ", "", "\n", "begin\nmiddle\nend\n"])
    text = b"key [begin\nmiddle\nend] begin\nmiddle\n"
    assert masked(masks, single(text)) == (b"[MASKED] [[MASKED]] begin\nmiddle\n", 2)


def test_long_values_that_begin_alike_are_told_apart() -> None:
    head = "x" * 70
    masks = Masks([head + "1", head + "22", "short"])
    text = f"1\n{head}1 {head}22\n{head}2\n{head}3 short\n".encode()
    expected = f"1\n[MASKED] [MASKED]\n{head}2\n{head}3 [MASKED]\n".encode()
    assert masked(masks, [text]) == masked(masks, single(text)) == (expected, 3)


def test_a_value_of_several_lines_may_begin_in_any_of_many() -> None:
    text = b"1 a\nb 2\na\nb\n3\na\nc\na"
    expected = b"1 [MASKED] 2\n[MASKED]\n3\na\nc\na"
    assert masked(Masks(["a\nb"]), [text]) == (expected, 2)


def test_touching_secrets_stay_two() -> None:
    assert masked(Masks(["ab"]), [b"abab"]) == (b"[MASKED][MASKED]", 2)


def test_held_bytes_are_known_and_a_copy_goes_its_own_way() -> None:
    masker = Masker(Masks(["secret"]))
    assert (masker.feed(b"is sec"), masker.held) == (b"is ", 3)
    ahead = masker.copy()
    assert ahead.feed(b"ret!") == b"[MASKED]!"
    assert masker.feed(b"ond") == b"second"


def test_a_masker_without_anything_to_mask_passes_bytes_through() -> None:
    masker = Masker(Masks((), ()))
    data = b"what\xff ever\n"
    assert masker.feed(data) + masker.feed(b"") + masker.finish() == data


def test_a_finished_masker_is_as_new() -> None:
    masker = Masker(Masks(["secret"]))
    assert masker.feed(b"glpat-x") + masker.finish() + masker.feed(b"yz") == b"glpat-[MASKED]yz"


def test_a_value_with_bytes_that_are_no_text() -> None:
    value = b"k\xfa\xfa\xfa\xfa".decode("utf-8", "surrogateescape")
    text = b"1\n2 k\xfa\xfa\xfa\xfa\n\xfa\xfa\xfa3\n4\n"
    expected = b"1\n2 [MASKED]\n\xfa\xfa\xfa3\n4\n"
    assert masked(Masks([value]), [text]) == (expected, 1)


@pytest.mark.parametrize(
    ("fed", "settled"),
    [
        (b"", True),
        (b"a line\n", True),
        (b"sec", False),
        (b"secret", False),  # its last byte may be the first of a prefix
        (b"secret\n", True),
        (b"glpat-", False),
        (b"glpat-token", False),
        (b"glpat-token ", True),
        (b"begin\n", True),
    ],
)
def test_when_a_new_masker_would_do_the_same(fed: bytes, settled: bool) -> None:
    masker = Masker(Masks(["secret ", "one\ntwo"]))
    masker.feed(fed)
    assert masker.settled == settled
