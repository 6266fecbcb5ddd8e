import io
import os
import pty
import sys
from collections.abc import Iterator
from typing import TextIO

import pytest

from tracekeeper.cli import terminal
from tracekeeper.cli.terminal import Palette


@pytest.fixture
def tty() -> Iterator[TextIO]:
    ours, theirs = pty.openpty()
    with open(theirs, "w") as stream:
        yield stream
    os.close(ours)


@pytest.mark.parametrize(
    ("environment", "on_a_terminal", "elsewhere"),
    [
        ({"TERM": "xterm"}, True, False),
        ({"TERM": "dumb"}, False, False),
        ({}, False, False),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False, False),
        ({"TERM": "xterm", "NO_COLOR": ""}, True, False),
        ({"FORCE_COLOR": "1"}, True, True),
        ({"FORCE_COLOR": "0"}, False, False),
        ({"FORCE_COLOR": ""}, False, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
    ],
)
def test_when_colours_are_wanted(
    tty: TextIO,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    on_a_terminal: bool,
    elsewhere: bool,
) -> None:
    for name in ("TERM", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert terminal.wants_colour(tty) is on_a_terminal
    assert terminal.wants_colour(io.StringIO()) is elsewhere


def test_the_size_is_that_of_now(tty: TextIO, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl
    import struct
    import termios

    monkeypatch.setattr(sys, "stdout", tty)
    for columns in (40, 100):
        fcntl.ioctl(tty, termios.TIOCSWINSZ, struct.pack("HHHH", 25, columns, 0, 0))
        assert terminal.size() == (columns, 25)


def test_without_a_terminal_the_size_is_a_usual_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setenv("LINES", "30")
    assert terminal.size().lines == 30
    assert terminal.size().columns > 0


def test_a_palette_styles_text_or_leaves_it_alone() -> None:
    assert Palette(colour=True)("x", "red", "bold") == "\x1b[31;1mx\x1b[0m"
    assert Palette(colour=True)("x") == "x"
    assert Palette(colour=True)("", "red") == ""
    assert Palette(colour=False)("x", "red") == "x"
