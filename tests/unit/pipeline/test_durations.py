import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.pipeline.durations import parse_duration

MINUTE, HOUR, DAY = 60, 3600, 86_400


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("42", 42),
        ("42 seconds", 42),
        ("3 mins 4 sec", 3 * MINUTE + 4),
        ("2 hrs 20 min", 2 * HOUR + 20 * MINUTE),
        ("2h20min", 2 * HOUR + 20 * MINUTE),
        ("1h 30m", HOUR + 30 * MINUTE),
        ("6 mos 1 day", 6 * 30 * DAY + DAY),
        ("47 yrs 6 mos and 4d", int(47 * 365.25 * DAY) + 6 * 30 * DAY + 4 * DAY),
        ("3 weeks and 2 days", 23 * DAY),
        ("1 hour, 5 minutes plus 3", HOUR + 5 * MINUTE + 3),
        ("1.5 hours", 90 * MINUTE),
        (" 1 Week ", 7 * DAY),
        ("day", DAY),
        ("minute 30sec", 90),
        ("5 10 seconds", 15),
        ("1:30", 90),
        ("1:30:05", 90 * MINUTE + 5),
        ("10 minutes hours", 600),
    ],
)
def test_durations(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "0", "0 hours", "never", "soon", "10 lightyears", "-1 day", "1:2:3:4", "٣ days", "and"],
)
def test_what_is_no_duration(text: str) -> None:
    assert parse_duration(text) is None


@given(st.text(max_size=40))
def test_any_text_is_a_positive_duration_or_none(text: str) -> None:
    seconds = parse_duration(text)
    assert seconds is None or seconds >= 0


@given(st.integers(1, 10**6), st.integers(1, 59))
def test_units_add_up(hours: int, minutes: int) -> None:
    assert parse_duration(f"{hours}h{minutes}m") == hours * HOUR + minutes * MINUTE
