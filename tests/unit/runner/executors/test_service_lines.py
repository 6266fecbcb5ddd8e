import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.engine.frames import Frame
from tracekeeper.runner.executors.service_lines import LONGEST, Lines, last_lines, visible


def lines_of(*frames: Frame) -> list[str]:
    lines = Lines()
    return [line for frame in frames for line in lines.add(frame)] + lines.rest()


@given(
    st.lists(st.tuples(st.sampled_from([1, 2]), st.text("ab é", max_size=9)), max_size=9),
    st.integers(1, 4),
)
def test_pieces_are_joined(lines: list[tuple[int, str]], size: int) -> None:
    frames = []
    for stream, text in lines:
        data = f"{text}\n".encode()
        frames += [(stream, data[at : at + size]) for at in range(0, len(data), size)]
    assert lines_of(*frames) == [text for _, text in lines]


def test_streams_do_not_mix() -> None:
    assert lines_of((1, b"hun"), (2, b"trouble\n"), (1, b"ter2\n"), (2, b"end")) == [
        "trouble",
        "hunter2",
        "end",
    ]


def test_a_line_that_is_too_long_is_left_out_as_a_whole() -> None:
    pieces = [(1, b"x" * 16384)] * (2 * LONGEST // 16384)
    assert lines_of(*pieces, (1, b"hunter2\n"), (1, b"next\n")) == [
        "(a line of more than 1 MiB is left out)",
        "next",
    ]
    longest = [(1, b"x" * (LONGEST - 1)), (1, b"\n")]
    assert lines_of(*longest) == ["x" * (LONGEST - 1)]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext é", "plain\ttext é"),
        ("over\rwritten", "over␍written"),
        ("\x1b[2K\x1b]0;title\x07", "␛[2K␛]0;title␇"),
        ("a\x9b2Kb\x7f", "a\N{REPLACEMENT CHARACTER}2Kb␡"),
        ("\x1b[31;1mred\x1b[0m\x08", "\x1b[31;1mred\x1b[0m␈\x1b[0m"),
        ("\x1b[31m", "\x1b[31m\x1b[0m"),
    ],
)
def test_control_characters_are_seen(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_an_end_of_line_is_none_of_them() -> None:
    assert lines_of((1, b"a\r\n"), (1, b"\r\r\n"), (1, b"\n")) == ["a", "␍", ""]


PIECES: list[Frame] = [(1, b"ter2\n"), (2, b"a\n"), (2, b"b\n"), (1, b"c\n"), (1, b"hun")]


@pytest.mark.parametrize(
    ("asked", "ended", "lines"),
    [
        (6, True, ["ter2", "a", "b", "c", "hun"]),
        (6, False, ["ter2", "a", "b", "c"]),
        (5, True, ["b", "c", "hun"]),
        (5, False, ["b", "c"]),
    ],
)
def test_a_log_that_is_not_read_from_its_beginning(
    asked: int, ended: bool, lines: list[str]
) -> None:
    assert last_lines(PIECES, asked, ended=ended) == lines


def test_a_line_that_began_before_and_goes_on() -> None:
    frames: list[Frame] = [(1, b"hun"), (1, b"ter2\n"), (1, b"a\n")]
    assert last_lines(frames, 3, ended=True) == ["a"]
