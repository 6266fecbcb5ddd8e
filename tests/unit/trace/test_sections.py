from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.trace.sections import SectionHider, section_end, section_start

START = section_start("build", 1795401556, title="Building the image").encode()
END = section_end("build", 1795401570).encode()


def hidden(pieces: list[bytes]) -> bytes:
    hider = SectionHider()
    return b"".join(map(hider.feed, pieces)) + hider.finish()


def test_markers_look_as_gitlab_wants_them() -> None:
    assert START == b"section_start:1795401556:build\r\x1b[0KBuilding the image"
    assert END == b"section_end:1795401570:build\r\x1b[0K"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (b"no marker\n", b"no marker\n"),
        (START + b"\n", b"Building the image\n"),
        (END + b"\n", b""),
        (b"a\n" + END + b"\nb\n", b"a\nb\n"),
        (END + START + b"\n", b"Building the image\n"),
        (b"text before " + END + b"\n", b"text before \n"),
        (b"\x1b[0K" + END + b"\n", b"\x1b[0K\n"),
        (b"section_start:1:a.b-c_d[collapsed=true,x=y]\r\x1b[0Ktitle", b"title"),
        (b"section_start:1:a b\r\x1b[0Kx\n", b"section_start:1:a b\r\x1b[0Kx\n"),
        (b"section_start:now:a\r\x1b[0K\n", b"section_start:now:a\r\x1b[0K\n"),
        (b"section_middle:1:a\r\x1b[0K\n", b"section_middle:1:a\r\x1b[0K\n"),
        (b"section_end:1:a\r\n", b"section_end:1:a\r\n"),
        (b"\n\n", b"\n\n"),
        (b"", b""),
    ],
)
def test_markers_are_hidden_in_any_split(text: bytes, shown: bytes) -> None:
    assert hidden([text]) == shown
    assert hidden([bytes([byte]) for byte in text]) == shown


PARTS = st.sampled_from(
    [START, END, b"\n", b"text", b"section_", b"section_start:", b"s", b"\r", b"\x1b[0K", b"1:a"]
)


@given(st.lists(PARTS, max_size=12).map(b"".join), st.lists(st.integers(0, 300), max_size=6))
def test_no_split_changes_what_is_shown(text: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(text)]
    pieces = [text[a:b] for a, b in pairwise(places)]
    assert hidden(pieces) == hidden([text])


def test_a_prompt_that_could_begin_a_marker_shows_when_nothing_follows() -> None:
    hider = SectionHider()
    assert hider.feed(b"Are you sure? Type yes") == b"Are you sure? Type ye"
    assert hider.settle() == b"s"
    assert hider.feed(b"\nsection_start:1") == b"\n"
    assert hider.settle() == b""
    assert hider.feed(b":a\r\x1b[0Ktitle") == b"title"


def test_what_is_too_long_for_a_marker_is_not_kept_back() -> None:
    hider = SectionHider()
    text = b"section_start:" + b"x" * 1000
    assert hider.feed(text) == text
