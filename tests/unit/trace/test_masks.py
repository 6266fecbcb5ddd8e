import pytest

from tracekeeper.trace.masks import Masks, Sampler, has_parameters


def test_spans_are_sorted_and_hold_every_occurrence() -> None:
    masks = Masks(["aa", "b"])
    assert masks.spans(b"baaa glrt-x glrt- ?rss_token=1 &rss_token=") == (
        [(0, 1), (1, 3), (2, 4), (10, 11), (29, 30)],
        None,
    )


@pytest.mark.parametrize(
    ("text", "goes_on_with"),
    [(b"glrt-a", b"B"), (b"?rss_token=a", b"/"), (b"?rss_token=glrt-a", b"/"), (b"glrt-a ", b"")],
)
def test_a_token_at_the_end_may_go_on(text: bytes, goes_on_with: bytes) -> None:
    _, alphabet = Masks().spans(text)
    assert bool(alphabet) == bool(goes_on_with)
    assert not alphabet or alphabet.match(goes_on_with)


def test_a_long_prefix_is_looked_for_as_a_whole() -> None:
    masks = Masks((), ("p" * 70, "p:"))
    spans, _ = masks.spans(b"p" * 71 + b":1 " + b"p" * 69 + b"+x")
    assert spans == [(70, 71), (72, 73)]


def test_prefixes_within_a_token_are_part_of_it() -> None:
    spans, _ = Masks().spans(b"glrt-" * 3 + b"x")
    assert spans == [(5, 16)]


@pytest.mark.parametrize(
    ("text", "start"),
    [
        (b"", 0),
        (b"xsecre", 1),
        (b"secret", 6),
        (b"sesec", 2),
        (b"xx\n", 3),
        (b"xs", 1),
        (b"xse!", 4),
        (b"xz", 1),
        (b"zz", 1),
        (b"sr", 2),
        (b"xr", 2),
    ],
)
def test_where_a_value_may_begin(text: bytes, start: int) -> None:
    assert Masks(["secret", "zed", "y"]).begins(text) == start


def test_a_text_is_over_if_its_last_byte_stands_in_no_word() -> None:
    masks = Masks(["s3\tx"], ("9:",))
    assert [masks.is_over(text) for text in (b"", b"\n", b"0", b"3", b"9", b":", b"\t", b"q")] == [
        True, True, True, False, False, False, False, False
    ]  # fmt: skip


def test_what_holds_no_word_and_no_parameter_is_clean() -> None:
    masks = Masks(["secret"])
    assert masks.is_clean(b"glob? yes & no: a?b=c secre")
    assert not masks.is_clean(b"a secret")
    assert not masks.is_clean(b"?RSS_TOKEN=")


@pytest.mark.parametrize(
    ("text", "maybe"), [(b"rss_token=", False), (b"&RSS_Token=", True), (b"?X-AMZ-a", True)]
)
def test_a_quick_look_for_parameters(text: bytes, maybe: bool) -> None:
    assert has_parameters(text) is maybe


@pytest.mark.parametrize("before", [0, *range(1019, 1026), *range(5110, 5120), 30_000])
def test_a_word_is_found_wherever_the_pieces_of_a_search_meet(before: int) -> None:
    sampler = Sampler([b"other", b"word"])
    assert sampler.sample(b"." * before + b"word" + b"." * 3000) == {1}
    assert sampler.sample(b"." * before + b"wor") == set()


def test_a_sampler_of_nothing_finds_nothing() -> None:
    assert Sampler([]).sample(b"text" * 2000) == set()


def test_words_with_a_newline_are_known() -> None:
    assert Masks(["a b"]).within_lines
    assert not Masks(["a\nb"]).within_lines
    assert not Masks((), ("a\n",)).within_lines
