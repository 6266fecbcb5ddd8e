import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.net.incident.server import CHUNK, LiveTrace, TraceFile, kept


@given(st.binary(max_size=200))
def test_live_traces_or_not_a_reader_finds_what_the_runner_sent(data: bytes) -> None:
    assert kept(data, live=True) == kept(data, live=False) == data


@pytest.mark.parametrize("kind", [TraceFile, LiveTrace])
def test_chunks_do_not_show(kind: type[TraceFile] | type[LiveTrace]) -> None:
    trace = kind()
    sent = [b"x" * CHUNK, b"y" * (2 * CHUNK + 5), b"z"]
    for part in sent:
        trace.patch(part)
    assert trace.archive() == b"".join(sent)
