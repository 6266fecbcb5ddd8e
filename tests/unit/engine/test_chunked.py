import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.engine.chunked import ChunkDecoder
from tracekeeper.engine.errors import ConnectionLost


def encoded(chunks: list[bytes]) -> bytes:
    """By h11, which we did not write."""
    server = h11.Connection(h11.SERVER)
    server.receive_data(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    server.next_event()
    headers = [("Transfer-Encoding", "chunked")]
    head = server.send(h11.Response(status_code=200, headers=headers)) or b""
    body = head + b"".join(server.send(h11.Data(data=chunk)) or b"" for chunk in chunks)
    return (body + (server.send(h11.EndOfMessage()) or b""))[len(head) :]


@given(st.lists(st.binary(min_size=1, max_size=300)), st.lists(st.integers(1, 50)))
def test_content_comes_out_however_it_is_split(chunks: list[bytes], sizes: list[int]) -> None:
    data, decoder, found = encoded(chunks), ChunkDecoder(), b""
    for size in sizes:
        found += decoder.feed(data[:size])
        data = data[size:]
    found += decoder.feed(data)
    assert found == b"".join(chunks)
    assert decoder.finished


@given(st.lists(st.binary(min_size=1, max_size=30), min_size=1))
def test_a_body_that_is_cut_short_is_not_finished(chunks: list[bytes]) -> None:
    decoder = ChunkDecoder()
    decoder.feed(encoded(chunks).removesuffix(b"0\r\n\r\n"))
    assert not decoder.finished


def test_extensions_are_left_alone() -> None:
    assert ChunkDecoder().feed(b"3;name=value\r\nabc\r\n") == b"abc"


@pytest.mark.parametrize(
    "data", [b"-3\r\nabc", b"x\r\n", b"\r\n", b" 3\r\nabc\r\n", b"0_1\r\n", b"3" * 300]
)
def test_what_is_no_chunk(data: bytes) -> None:
    with pytest.raises(ConnectionLost, match="the engine's answer"):
        ChunkDecoder().feed(data)


def test_bytes_after_the_last_chunk_do_not_count() -> None:
    decoder = ChunkDecoder()
    assert decoder.feed(b"1\r\na\r\n0\r\n\r\nmore") == b"a"
    assert decoder.feed(b"1\r\nb\r\n") == b""
