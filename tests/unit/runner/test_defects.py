"""Sentences for errors that nobody foresaw."""

from pathlib import Path

import pytest

from tracekeeper.errors import StorageError
from tracekeeper.runner.defects import sentence


def test_our_own_errors_speak_for_themselves(tmp_path: Path) -> None:
    details = tmp_path / "details"
    assert sentence(StorageError("it is full"), details) == "it is full"
    assert (
        sentence(StorageError("it is full", hint="make room"), details) == "it is full (make room)"
    )
    assert not details.exists()


def test_the_systems_errors(tmp_path: Path) -> None:
    details = tmp_path / "details"
    assert (
        sentence(PermissionError(13, "Permission denied", "/x"), details) == "/x: Permission denied"
    )
    assert sentence(OSError(28, "No space left on device"), details) == "No space left on device"
    assert not details.exists()


def raised() -> Exception:
    with pytest.raises(ZeroDivisionError) as caught:
        1 / 0  # noqa: B018
    return caught.value


def test_a_defect_is_kept_with_its_place(tmp_path: Path) -> None:
    details = tmp_path / "details"
    assert sentence(raised(), details) == (
        "a defect of tracekeeper (ZeroDivisionError: division by zero); "
        f"please report it with {details}"
    )
    assert "1 / 0" in details.read_text()


def test_where_nothing_can_be_kept(tmp_path: Path) -> None:
    assert sentence(raised(), tmp_path / "missing" / "details") == (
        "a defect of tracekeeper (ZeroDivisionError: division by zero)"
    )
