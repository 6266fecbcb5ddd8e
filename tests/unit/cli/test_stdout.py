import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from typing import TextIO

import pytest

from tracekeeper.cli.stdout import FULL, Stdout


class Pipe:
    """A pipe whose write end can be stdout."""

    def __init__(self, read_end: int, stream: TextIO) -> None:
        self.read_end = read_end
        self.stream = stream

    def read(self, size: int = 1 << 16) -> bytes:
        return os.read(self.read_end, size)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    read_end, write_end = os.pipe()
    with open(write_end, "w") as stream:
        yield Pipe(read_end, stream)
    with contextlib.suppress(OSError):
        os.close(read_end)


def test_nothing_is_written_before_a_flush(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", pipe.stream)
    os.set_blocking(pipe.read_end, False)
    out = Stdout()
    out.write(b"a")
    out.write(b"b")
    with pytest.raises(BlockingIOError):
        pipe.read()
    out.flush()
    assert pipe.read() == b"ab"
    out.flush()


def test_it_comes_after_what_was_printed(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", pipe.stream)
    pipe.stream.write("first\n")
    out = Stdout()
    out.write(b"second")
    out.flush()
    assert pipe.read() == b"first\nsecond"


@pytest.mark.timeout(20)
@pytest.mark.parametrize("blocking", [True, False])
def test_much_is_written_whole(pipe: Pipe, monkeypatch: pytest.MonkeyPatch, blocking: bool) -> None:
    monkeypatch.setattr(sys, "stdout", pipe.stream)
    os.set_blocking(pipe.stream.fileno(), blocking)
    data = b"%08d" * FULL % tuple(range(FULL))
    out = Stdout()
    writer = threading.Thread(target=out.write, args=(data,))
    writer.start()
    read = b""
    while len(read) < len(data):
        read += pipe.read()
    writer.join()
    assert (read == data) is True


def test_a_reader_that_left_is_told_once(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", pipe.stream)
    os.close(pipe.read_end)
    out = Stdout()
    out.write(b"lost")
    with pytest.raises(BrokenPipeError):
        out.flush()
    out.flush()
