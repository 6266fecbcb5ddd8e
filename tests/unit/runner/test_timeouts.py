"""Time limits from variables. Expected values: Go's time.ParseDuration."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.runner.timeouts import SCRIPT, limit, parse_go_duration, within


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("40s", 40),
        ("1h20m", 4800),
        ("4h30m30s", 16230),
        ("1.5h", 5400),
        (".5s", 0.5),
        ("5.s", 5),
        ("+5s", 5),
        ("300ms", 0.3),
        ("1us", 1e-6),
        ("1µs", 1e-6),
        ("1ns", 1e-9),
        ("1m1m", 120),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_go_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "10", "0", "0s", "-5s", "1 h", "h", "1d", "1h ", ".s", "5S"])
def test_what_is_no_positive_duration(text: str) -> None:
    assert parse_go_duration(text) is None


@given(st.integers(0, 99), st.integers(0, 59), st.integers(1, 59))
def test_round_trip(hours: int, minutes: int, seconds: int) -> None:
    text = f"{hours}h{minutes}m{seconds}s"
    assert parse_go_duration(text) == hours * 3600 + minutes * 60 + seconds


def test_limits() -> None:
    assert limit({}, SCRIPT, 7) == (7, "")
    assert limit({SCRIPT: " "}, SCRIPT, 7) == (7, "")
    assert limit({SCRIPT: " 2m "}, SCRIPT, 7) == (120, "")
    assert limit({SCRIPT: "10"}, SCRIPT, 7) == (
        7,
        "RUNNER_SCRIPT_TIMEOUT is passed over: '10' is not a duration such as 40s or 1h20m",
    )


def test_a_limit_within_a_deadline() -> None:
    async def main() -> list[bool]:
        now = asyncio.get_running_loop().time()
        deadlines = (None, now + 60, now + 5)
        return [within(10, deadline).when() is not None for deadline in deadlines]

    assert asyncio.run(main()) == [True, True, False]
