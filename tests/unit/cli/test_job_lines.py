import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.cli import job_lines
from tracekeeper.cli.job_lines import JobLines

P = b"job | "


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def lines(clock: Clock | None = None, *, colour: bool = True, timestamps: bool = False) -> JobLines:
    return JobLines(P, colour=colour, timestamps=timestamps, clock=clock or Clock())


def test_every_line_has_the_prefix() -> None:
    job = lines()
    assert job.feed(b"a\nb\nhalf") == P + b"a\n" + P + b"b\n"
    assert job.feed(b" and half\n\n") == P + b"half and half\n" + P + b"\n"
    assert job.finish() == b""


def test_the_last_line_needs_no_newline() -> None:
    job = lines()
    assert job.feed(b"last") == b""
    assert job.finish() == P + b"last\n"


def test_colours_end_with_their_line() -> None:
    assert lines().feed(b"\x1b[31mred\nstill\n") == (
        P + b"\x1b[31mred\x1b[0m\n" + P + b"still\x1b[0m\n"
    )
    assert lines(colour=False).feed(b"\x1b[31mred\n") == P + b"red\n"


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        (b"10%\r20%\r30%\n", b"30%"),
        (b"\r10%\r\x1b[K20%\n", b"20%"),
        (b"windows\r\n", b"windows"),
        (b"10%\r20%\r\r\n", b"20%"),
        (b"\r\n", b""),
    ],
)
def test_of_carriage_returns_is_left_what_a_terminal_shows(written: bytes, seen: bytes) -> None:
    assert lines().feed(b"first\n" + written) == P + b"first\n" + P + seen + b"\n"


def test_the_time_stays_before_a_progress_bar() -> None:
    stamp = b"2026-11-23T02:29:16.123456Z "
    shown = lines(timestamps=True).feed(stamp + b"10%\r20%\n" + stamp + b"b\n")
    assert shown == P + stamp + b"20%\n" + P + stamp + b"b\n"


def test_an_endless_line_is_shown_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_lines, "LONGEST", 10)
    job = lines()
    assert job.feed(b"x" * 10) == b""
    assert job.feed(b"x") == P + b"x" * 11 + b"\n"
    assert job.feed(b"y\n") == P + b"y\n"


def test_an_unfinished_line_is_shown_when_it_has_waited(clock: Clock) -> None:
    job = lines(clock)
    job.feed(b"done\nContinue?\t[y/N] \x1b[31m")
    assert job.unfinished() == ""
    clock.now += job_lines.WAIT
    assert job.unfinished("…".encode()) == "Continue? [y/N] …"
    job.feed(b"\rok\r")
    assert job.unfinished() == "ok"
    job.feed(b"\n")
    clock.now += job_lines.WAIT
    assert job.unfinished() == ""
    assert job.unfinished(b"preview") == "preview"


def test_an_unfinished_line_is_written_when_it_is_due_and_less_and_less_often(clock: Clock) -> None:
    job = lines(clock)
    job.feed(b"0")
    written = []
    for step in range(1, 200):
        clock.now += 0.125
        job.feed(b".")
        if job.due():
            written.append(step)
    assert written == [4, 12, 28, 60, 124]


def test_it_is_not_written_twice(clock: Clock) -> None:
    job = lines(clock)
    job.feed(b"Continue? ")
    clock.now += 1
    assert job.due() == P + b"Continue? \n"
    clock.now += 100
    assert job.due() == b""
    assert job.finish() == b""


def test_but_again_if_it_goes_on(clock: Clock) -> None:
    job = lines(clock)
    job.feed(b"Continue? ")
    clock.now += 1
    job.due()
    assert job.feed(b"y\nnext\n") == P + b"Continue? y\n" + P + b"next\n"


@given(st.binary(max_size=40), st.integers(0, 40), st.booleans())
def test_output_is_whole_lines_with_prefix(text: bytes, cut: int, colour: bool) -> None:
    job = lines(colour=colour)
    shown = job.feed(text[:cut]) + job.feed(text[cut:]) + job.finish()
    assert all(line.startswith(P) for line in shown.splitlines(keepends=True) if line != b"\x85")
    assert shown.count(b"\n") == text.count(b"\n") + (text[-1:] not in (b"", b"\n"))
    assert b"\r" not in shown
