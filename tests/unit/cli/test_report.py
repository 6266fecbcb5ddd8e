import pytest

from tracekeeper import events
from tracekeeper.cli.report import (
    JobEnd,
    closing_table,
    doubts,
    duration,
    result_sentence,
    result_style,
    size,
)
from tracekeeper.cli.terminal import Palette

PLAIN = Palette(colour=False)


def ended(name: str, status: str = "success", *, attempt: int = 1, **fields: object) -> JobEnd:
    event = {
        "seconds": 1.25,
        "bytes": 2048,
        "checksum": "crc32:0000beef",
        "verdict": "proven",
        **fields,
    }
    finished = events.JobFinished(job=1, name=name, status=status, **event)  # type: ignore[arg-type]
    return JobEnd(name, status, attempt, finished)


JOBS = [
    ended("compile"),
    ended("style", "failed", allow_failure=True),
    ended("unit", "failed", attempt=3, verdict="unproven", verdict_reason="the engine was killed"),
    ended("again", attempt=2, seconds=75, bytes=3_456_789),
    JobEnd("publish", "manual"),
    JobEnd("deploy", "skipped"),
    JobEnd("tell"),
]


def test_the_table_tells_each_job() -> None:
    assert closing_table(JOBS, PLAIN, 1000).splitlines() == [
        "",
        "job      status                duration     log  crc32     verdict",
        "compile  passed                   1.2 s  2.0 KB  0000beef  proven",
        "style    failed (allowed)         1.2 s  2.0 KB  0000beef  proven",
        "unit     failed (attempt 3)       1.2 s  2.0 KB  0000beef  unproven",
        "again    passed (attempt 2)  1 min 15 s  3.5 MB  0000beef  proven",
        "publish  manual",
        "deploy   skipped",
        "tell     not started",
    ]


def test_long_names_are_cut_to_the_terminal() -> None:
    (_, _, row) = closing_table([ended("x" * 100)], PLAIN, 80).splitlines()
    assert len(row) <= 80
    assert row.startswith("x" * 24)
    assert "…  passed" in row


def test_words_have_the_colour_of_what_they_mean() -> None:
    shown = closing_table(JOBS, Palette(colour=True), 1000)
    assert "\x1b[32mpassed" in shown
    assert "\x1b[33mfailed (allowed)" in shown
    assert "\x1b[31mfailed (attempt 3)" in shown
    assert "\x1b[31munproven" in shown
    assert "\x1b[2mproven" in shown
    assert "\x1b[2mmanual" in shown


def test_names_cannot_move_the_cursor() -> None:
    assert "\x1b" not in closing_table([ended("a\x1b[2Jb")], PLAIN, 1000)


def test_a_log_that_is_not_proven_is_explained() -> None:
    assert doubts(JOBS, PLAIN) == "\nunit: unproven: the engine was killed\n"
    assert doubts(JOBS[:2], PLAIN) == ""


@pytest.mark.parametrize(
    ("code", "said", "style"),
    [
        (0, "Run 3 passed in 9.9 s", "green"),
        (1, "Run 3 failed in 9.9 s", "red"),
        (130, "Run 3 was interrupted after 9.9 s", "yellow"),
    ],
)
def test_the_result(code: int, said: str, style: str) -> None:
    end = events.RunFinished(status="", exit_code=code, seconds=9.94)
    sentence = result_sentence(3, end, JOBS)
    counts = "2 passed, 1 failed, 1 failed as allowed, 1 manual, 1 skipped, 1 not started"
    assert sentence == f"{said}: {counts}."
    assert result_style(end) == style


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "40 ms"),
        (0.0994, "99 ms"),
        (0.0996, "0.1 s"),
        (9.94, "9.9 s"),
        (9.95, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (3599.6, "1 h 00 min"),
        (7260, "2 h 01 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KB"),
        (999_500, "1.0 MB"),
        (1_500_000, "1.5 MB"),
        (12_345_678_901, "12.3 GB"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text
