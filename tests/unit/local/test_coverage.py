"""``coverage``: the figure in a job's log."""

from pathlib import Path

import pytest

from tracekeeper.errors import UsageError
from tracekeeper.local.coverage import LONGEST_LINE, coverage
from tracekeeper.trace.chain import Chain
from tracekeeper.trace.masks import Masks


def found(tmp_path: Path, pattern: str, *writes: str) -> float | None:
    chain = Chain(Masks())
    trace = b"".join(chain.write(text.encode(), at=0) + chain.flush() for text in writes)
    (tmp_path / "trace").write_bytes(trace + chain.finish(0))
    return coverage(tmp_path / "trace", pattern)


@pytest.mark.parametrize(
    ("pattern", "log", "figure"),
    [
        (r"/\d+%/", "a 10%\nb 20%\nnothing\n", 20),
        (r"/Total: (\d+\.\d+)%/", "Total: 81.25%\n", 81.25),
        (r"/(\w+) (\d+)%/", "lines 90%\n", 90),
        (r"/\d+%/", "10% then 30%\n", 30),
        (r"/^all: \d+/", "all: 5\nnot all: 6\n", 5),
        (r"/covered/", "100% covered\n", None),
        (r"/covered.*/", "covered: none\ncovered: 7\ncovered: none\n", 7),
        (r"/\d+%/", "", None),
        (r"/\d+%/", "no newline 12%", 12),
        (r"/é (\d+)/", "é 3\n", 3),
    ],
)
def test_the_last_figure(tmp_path: Path, pattern: str, log: str, figure: float | None) -> None:
    assert found(tmp_path, pattern, log) == figure


def test_a_line_in_pieces(tmp_path: Path) -> None:
    assert found(tmp_path, r"/cov (\d+)%/", "co", "v 4", "2", "%\nend\n") == 42


def test_the_end_of_a_long_line(tmp_path: Path) -> None:
    long = "x" * (5 * LONGEST_LINE)
    assert found(tmp_path, r"/(\d+)%/", f"{long}77%\n") == 77
    assert found(tmp_path, r"/(\d+)%/", f"66%{long}\nshort 1%\n{long}") == 1


def test_a_pattern_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="of `coverage` cannot be used"):
        found(tmp_path, "/(/", "x")
