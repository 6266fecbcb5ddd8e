from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.engine.errors import ConnectionLost
from tracekeeper.engine.frames import STDERR, STDOUT, Frame, FrameDecoder, encoded

FRAMES = st.lists(st.tuples(st.sampled_from([0, STDOUT, STDERR]), st.binary(max_size=300)))


def packed(frames: list[Frame]) -> bytes:
    return b"".join(pack(">BxxxI", stream, len(data)) + data for stream, data in frames)


@given(FRAMES, st.lists(st.integers(1, 50)))
def test_frames_come_out_however_they_are_split(frames: list[Frame], sizes: list[int]) -> None:
    data, decoder, found = packed(frames), FrameDecoder(), []
    for size in [*sizes, len(data)]:
        part = decoder.feed(data[:size])
        assert decoder.taken == packed(part) == encoded(part)
        found += part
        data = data[size:]
    assert found == frames
    assert decoder.pending == 0


def test_an_incomplete_frame_is_pending() -> None:
    decoder = FrameDecoder()
    assert decoder.feed(packed([(STDOUT, b"abc")])[:-1]) == []
    assert decoder.pending == 10
    assert decoder.feed(b"c") == [(STDOUT, b"abc")]


@pytest.mark.parametrize(
    "data", [b"HTTP/1.1 500", b"\x01\x00\x01\x00\x00\x00\x00\x00", b"\x04" * 8]
)
def test_bytes_that_are_no_frame(data: bytes) -> None:
    with pytest.raises(ConnectionLost, match="no frame of output"):
        FrameDecoder().feed(data)


def test_the_daemons_own_error_is_told() -> None:
    with pytest.raises(ConnectionLost, match="broke its stream off: disk on fire"):
        FrameDecoder().feed(packed([(3, b"disk on fire\n")]))
