"""Events: what they look like on the wire, and that the documents know them."""

import json
import runpy
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.errors import StorageError
from tracekeeper.events import (
    AnyEvent,
    JobFinished,
    Output,
    PlannedJob,
    RunStarted,
    Warned,
    decode,
    encode,
    rfc3339,
    seconds,
)

ROOT = Path(__file__).parents[2]
TIME = "2026-11-23T02:29:16.123456Z"
AT = 1_795_400_956_123_456
EVENT_TYPES = get_args(AnyEvent)


def test_one_line_with_every_field() -> None:
    event = JobFinished(job=1001, name="unit", status="failed", exit_code=3)
    line = encode(event, at=AT)
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    assert json.loads(line) == {
        "type": "job_finished",
        "v": 1,
        "time": TIME,
        "job": 1001,
        "name": "unit",
        "status": "failed",
        "allow_failure": False,
        "exit_code": 3,
        "failure_reason": "",
        "message": "",
        "seconds": 0.0,
        "bytes": 0,
        "coverage": None,
        "checksum": "",
        "verdict": "",
        "verdict_reason": "",
    }
    assert decode(line) == msgspec.structs.replace(event, time=TIME)


def test_nested_jobs() -> None:
    planned = PlannedJob(name="a", stage="test", when="manual", allow_failure=True, needs=("b",))
    event = RunStarted(time=TIME, run=1, file=".gitlab-ci.yml", jobs=(planned,))
    assert decode(encode(event, at=AT)) == event


def test_types_are_named_after_their_classes() -> None:
    assert [event.__struct_config__.tag for event in EVENT_TYPES] == [
        "run_started",
        "job_status",
        "job_started",
        "job_resumed",
        "job_retried",
        "job_finished",
        "output",
        "preview",
        "warning",
        "connection_broke",
        "connection_closed",
        "run_resumed",
        "run_finished",
    ]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_output_arrives_exactly(text: str) -> None:
    event = Output(time=TIME, job=1, name="j", text=text)
    line = encode(event, at=AT)
    assert json.loads(line)["text"] == text
    assert decode(line) == event


def test_unknown_fields_are_passed_over() -> None:
    line = b'{"type":"warning","v":1,"time":"%s","message":"m","new":[1]}' % TIME.encode()
    assert decode(line) == Warned(time=TIME, message="m")


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"nonsense",
        b'{"type":"job_status","v":1,"ti',
        b'{"type":"later","v":1,"time":"t"}',
        b'{"type":"job_status","v":2,"time":"t","name":"j","status":"skipped"}',
        b'{"type":"job_status","v":1,"time":"t","name":"j"}',
        b'{"type":"job_status","v":1,"time":"t","name":"\xff","status":"skipped"}',
    ],
)
def test_what_is_no_event(line: bytes) -> None:
    with pytest.raises(StorageError, match="a line is not an event of version 1"):
        decode(line)


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (AT, TIME),
        (1_795_400_956_000_001, "2026-11-23T02:29:16.000001Z"),
    ],
)
def test_times(microseconds: int, text: str) -> None:
    assert rfc3339(microseconds) == text


PAGES = runpy.run_path(str(ROOT / "scripts" / "generate_docs.py"))["PAGES"]


@pytest.mark.parametrize("name", sorted(PAGES))
def test_the_documents_are_in_step(name: str) -> None:
    page = (ROOT / "docs" / name).read_text()
    assert page == PAGES[name](), "run scripts/generate_docs.py"


def test_every_field_is_documented() -> None:
    page = PAGES["events.md"]()
    for event in EVENT_TYPES:
        section = page.partition(f"## `{event.__struct_config__.tag}`")[2].partition("\n## ")[0]
        rows = [line.split("|") for line in section.splitlines() if line.startswith("| `")]
        documented = {row[1].strip(" `"): row[3].strip() for row in rows}
        assert set(documented) == set(event.__struct_fields__)
        assert all(documented.values())


def test_the_time_of_an_event() -> None:
    assert seconds(TIME) == AT / 1_000_000
