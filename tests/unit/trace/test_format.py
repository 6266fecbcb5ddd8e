from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.trace.format import HEADER_SIZE, Stream, header, time_of


def test_a_header_looks_as_gitlab_writes_it() -> None:
    at = int(datetime(2026, 11, 23, 2, 29, 16, tzinfo=UTC).timestamp()) * 1_000_000 + 123_456
    assert header(at, Stream.SCRIPT) == b"2026-11-23T02:29:16.123456Z 01O "
    assert header(at, Stream.RUNNER, continued=True) == b"2026-11-23T02:29:16.123456Z 00O+"
    assert header(0, Stream.SERVICE + 1) == b"1970-01-01T00:00:00.000000Z 10O "


@given(st.integers(0, 250_000_000_000_000_000), st.integers(0, 255), st.booleans())
def test_every_header_has_one_size_and_keeps_its_time(
    at: int, stream: int, continued: bool
) -> None:
    made = header(at, stream, continued=continued)
    assert len(made) == HEADER_SIZE
    assert time_of(made) == at


def test_what_is_no_header_has_no_time() -> None:
    with pytest.raises(ValueError, match="isoformat"):
        time_of(b"Running with gitlab-runner 19.4.0 (d79f3e7b)")
