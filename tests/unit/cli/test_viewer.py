"""The viewer's thread, driven with traces that stand still."""

import threading
from pathlib import Path
from typing import Any, cast

import pytest

from tracekeeper import events
from tracekeeper.cli.viewer import Viewer
from tracekeeper.local import feed
from tracekeeper.local.attempt import Attempt
from tracekeeper.local.data import JobDirectory

FINISHED = events.JobFinished(job=1, name="a", status="success")


class FakeAttempt:
    def __init__(self, path: Path) -> None:
        self.id = 1
        self.directory = JobDirectory(path, 1)


class Recorder:
    """A renderer and log view that keeps what it is told, and may fail."""

    timestamps = marks = False

    def __init__(self, error: Exception | None = None) -> None:
        self.told: list[object] = []
        self.seen = b""
        self.news = threading.Condition()
        self._error = error

    def event(self, event: events.Event, at: int) -> None:
        if self._error:
            raise self._error
        self.told.append(event)

    def open(self, attempt: Attempt) -> "Recorder":
        return self

    def text(self, text: bytes) -> None:
        with self.news:
            self.seen += text
            self.news.notify()

    def close(self) -> None:
        self.told.append(self.seen)

    def tick(self) -> None:
        pass

    def until(self, seen: bytes) -> None:
        with self.news:
            assert self.news.wait_for(lambda: self.seen == seen, 10)


@pytest.fixture
def attempt(tmp_path: Path) -> Any:
    return cast("Attempt", FakeAttempt(tmp_path))


def test_all_that_is_there_is_shown_after_one_announcement(
    attempt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "BLOCK", 10)
    attempt.directory.trace.write_bytes(b"x" * 95)
    recorder = Recorder()
    with Viewer(recorder) as viewer:
        viewer.follow(attempt)
        recorder.until(b"x" * 95)
        attempt.directory.trace.write_bytes(b"x" * 150)
        viewer.changed(attempt)
        recorder.until(b"x" * 150)


def test_a_log_ends_before_the_event_that_says_so(attempt: Any) -> None:
    attempt.directory.trace.write_bytes(b"last\n")
    recorder = Recorder()
    with Viewer(recorder) as viewer:
        viewer.follow(attempt)
        viewer.event(FINISHED, 0)
        viewer.changed(attempt)
    assert recorder.told == [b"last\n", FINISHED]


def test_a_reader_that_left_is_no_error() -> None:
    with Viewer(Recorder(BrokenPipeError())) as viewer:
        viewer.event(FINISHED, 0)


def test_what_went_wrong_is_raised_at_the_end() -> None:
    with (
        pytest.raises(OSError, match="disk full"),
        Viewer(Recorder(OSError("disk full"))) as viewer,
    ):
        viewer.event(FINISHED, 0)


def test_but_it_hides_nothing_worse() -> None:
    viewer = Viewer(Recorder(OSError("disk full")))
    viewer.__enter__()
    viewer.event(FINISHED, 0)
    viewer.__exit__(ValueError, ValueError("worse"), None)


def test_what_grows_while_it_is_read_is_shown(attempt: Any) -> None:
    """The announcement comes between the reading of a trace and the showing of it."""
    trace = attempt.directory.trace
    first, second = b"1" * 40, b"2" * 40
    trace.write_bytes(first)
    recorder = Recorder()

    def grow(text: bytes) -> None:
        Recorder.text(recorder, text)
        if text == first:
            trace.write_bytes(first + second)
            viewer.changed(attempt)

    recorder.text = grow  # type: ignore[method-assign]
    with Viewer(recorder) as viewer:
        viewer.follow(attempt)
        recorder.until(first + second)
