from os import terminal_size

import pytest

from tracekeeper.cli import terminal
from tracekeeper.cli.area import StatusArea
from tracekeeper.cli.stdout import Stdout


class Written(Stdout):
    """Keeps what is written."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data

    def flush(self) -> None:
        pass

    def take(self) -> bytes:
        data, self.data = self.data, b""
        return data


@pytest.fixture
def out(monkeypatch: pytest.MonkeyPatch) -> Written:
    sized(monkeypatch, 20, 4)
    return Written()


def sized(monkeypatch: pytest.MonkeyPatch, columns: int, lines: int) -> None:
    monkeypatch.setattr(terminal, "size", lambda: terminal_size((columns, lines)))


def test_lines_are_replaced_by_the_next_ones(out: Written) -> None:
    area = StatusArea(out)
    area.show(["a", "b"])
    assert out.take() == b"a\nb"
    area.show(["c"])
    assert out.take() == b"\r\x1b[1A\x1b[Jc"
    area.clear()
    assert out.take() == b"\r\x1b[J"
    area.clear()
    assert out.take() == b""


def test_what_is_there_already_is_not_written_again(out: Written) -> None:
    area = StatusArea(out)
    area.show(["a"])
    out.take()
    area.show(["a"])
    assert out.take() == b""


def test_it_fits_the_terminal(out: Written) -> None:
    StatusArea(out).show(["1", "2", "3", "x" * 30])
    assert out.take() == b"2\n3\n" + b"x" * 18 + "…".encode()


def test_lines_that_a_narrower_terminal_has_wrapped_are_cleared(
    out: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    area = StatusArea(out)
    area.show(["x" * 19, "日本", ""])
    out.take()
    sized(monkeypatch, 8, 4)
    area.clear()
    assert out.take() == b"\r\x1b[4A\x1b[J"
