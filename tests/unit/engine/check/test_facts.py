"""What an engine's own words mean for jobs."""

from typing import Any

import pytest

from tracekeeper.engine.check.facts import Info, Plugins, clock, judged


def said(**fields: Any) -> dict[str, tuple[str, str]]:
    return {each.code: (each.level, each.sentence) for each in judged(Info(**fields))}


def test_a_good_one() -> None:
    found = said(
        driver="overlay2",
        logging_driver="local",
        live_restore_enabled=True,
        plugins=Plugins(["local", "json-file"]),
        warnings=["WARNING: bridge-nf-call-iptables is disabled"],
    )
    assert set(found) == {"log_driver", "live_restore"}
    assert {level for level, _ in found.values()} == {"ok"}
    assert "log to local unless they say otherwise; jobs do" in found["log_driver"][1]


@pytest.mark.parametrize(
    ("fields", "code", "level", "sentence"),
    [
        ({"os_type": "windows"}, "os", "error", "its containers are windows ones"),
        ({"plugins": Plugins(["local"])}, "log_driver", "error", "has no json-file log driver"),
        ({}, "live_restore", "note", "a restart of the daemon ends every job"),
        ({"driver": "vfs"}, "storage", "warning", "a full copy of its image"),
        (
            {"warnings": ["WARNING: No swap limit support"]},
            "limits",
            "note",
            "it warns: No swap limit support",
        ),
    ],
)
def test_what_matters(fields: dict[str, Any], code: str, level: str, sentence: str) -> None:
    found = said(**fields)
    assert found[code][0] == level
    assert sentence in found[code][1]


@pytest.mark.parametrize(
    ("theirs", "level", "sentence"),
    [
        ("1970-01-01T00:01:41.500000000Z", "ok", "its clock is 0 ms from ours (±500)"),
        ("1970-01-01T02:01:46.500000000+02:00", "ok", "5000 ms"),
        ("1970-01-01T00:01:46.600000000Z", "warning", "its clock is 5 s ahead of ours"),
        ("1970-01-01T00:00:01.500000000Z", "warning", "its clock is 100 s behind ours"),
        ("yesterday", "note", "its clock cannot be read: 'yesterday'"),
    ],
)
def test_the_clock(theirs: str, level: str, sentence: str) -> None:
    """Asked at 101 s by our clock, and the answer takes a second."""
    (finding,) = clock(theirs, 101.0, 1.0)
    assert finding.level == level
    assert sentence in finding.sentence
