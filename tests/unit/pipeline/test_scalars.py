import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.pipeline.scalars import is_date, resolve


@pytest.mark.parametrize("text", ["", "~", "null", "Null", "NULL"])
def test_null(text: str) -> None:
    assert resolve(text) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("Yes", True), ("ON", True), ("false", False), ("no", False), ("oFF", False)],
)
def test_booleans_in_any_case(text: str, value: bool) -> None:
    assert resolve(text) is value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-12", -12),
        ("+12", 12),
        ("0755", 493),
        ("-0755", -493),
        ("0x1F", 31),
        ("0b101", 5),
        ("1_000", 1000),
        ("1,000", 1000),
        ("12:30:45", 45045),
        ("22:30", 81000),
    ],
)
def test_integers(text: str, value: int) -> None:
    assert resolve(text) == value
    assert isinstance(resolve(text), int)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.10", 1.1),
        (".5", 0.5),
        ("5.", 5.0),
        ("1.5e+3", 1500.0),
        ("1_0.5", 10.5),
        ("1:30.5", 5430.0),
        ("-.inf", -math.inf),
        (".Inf", math.inf),
    ],
)
def test_floats(text: str, value: float) -> None:
    assert resolve(text) == value
    assert isinstance(resolve(text), float)


def test_not_a_number() -> None:
    value = resolve(".NaN")
    assert isinstance(value, float)
    assert math.isnan(value)


@pytest.mark.parametrize(
    "text",
    ["y", "n", "word", "truest", "1.2.3", "08", "1e3", ".", "-", "+.", ".e+1", "0b_", "0x,", "1__0",
     "12:99", "1:2:3:4", "-foo", "9" * 101, "2024-01-31"],
)  # fmt: skip
def test_anything_else_is_its_own_text(text: str) -> None:
    assert resolve(text) == text


@pytest.mark.parametrize(
    "text", ["2024-01-31", "2024-1-3", "2024-01-31T10:11:12Z", "2024-01-31 1:11:12 +1"]
)
def test_dates_are_recognised(text: str) -> None:
    assert is_date(text)


@pytest.mark.parametrize("text", ["2024-01", "2024-01-31-beta", "1.2.3", "20240131"])
def test_what_only_resembles_a_date_is_none(text: str) -> None:
    assert not is_date(text)


@given(st.integers() | st.floats(allow_nan=False) | st.booleans() | st.none())
def test_agrees_with_pyyaml_on_what_it_writes(value: object) -> None:
    written = yaml.safe_dump(value, explicit_end=True).removesuffix("...\n").strip()
    if len(written) <= 100:
        assert resolve(written) == value


@given(st.text(min_size=1))
def test_never_fails(text: str) -> None:
    resolve(text)
