"""A trace made by the chain that jobs use is read while it grows, however its reading is split."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.errors import StorageError
from tracekeeper.local import feed
from tracekeeper.local.feed import TraceText
from tracekeeper.trace.chain import Chain
from tracekeeper.trace.masks import Masks
from tracekeeper.trace.sections import section_end, section_start

AT = 1_700_000_000_000_000
STAMP = b"2023-11-14T22:13:20.000000Z "


def trace(parts: Sequence[bytes | str]) -> bytes:
    """The trace of a script that wrote `parts`; a text is a remark of the runner's."""
    chain = Chain(Masks([]))
    made = [
        chain.write(part, at=AT) + chain.flush()
        if isinstance(part, bytes)
        else chain.note(part, AT)
        for part in parts
    ]
    return b"".join((*made, chain.finish(AT)))


def whole(path: Path, **options: bool) -> bytes:
    text = TraceText(path, **options)
    parts = []
    more = True
    while more:
        more, part = text.read()
        parts.append(part)
    return b"".join((*parts, text.rest()))


MARKED = (
    section_start("step_script", 1, title="Running"),
    b"one\n",
    b"\n",
    section_end("step_script", 2),
    b"two",
)


def test_marks_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    path.write_bytes(trace(MARKED))
    assert whole(path) == b"Running\none\n\ntwo"


def test_marks_and_control_sequences_are_in_the_raw_text(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    path.write_bytes(trace(MARKED))
    start, end = b"section_start:1:step_script\r\x1b[0K", b"section_end:2:step_script\r\x1b[0K"
    assert whole(path, marks=True) == start + b"Running\none\n\n" + end + b"\ntwo"


def test_a_mark_takes_the_time_of_its_line_along_but_an_empty_line_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    path.write_bytes(trace(MARKED))
    lines = [b"Running", b"one", b"", b"two"]
    assert whole(path, timestamps=True) == b"\n".join(STAMP + line for line in lines)


def test_an_unfinished_line_is_given_out_once_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    chain = Chain(Masks([]))
    path.write_bytes(chain.write(b"Continue? ", at=AT) + chain.flush())
    text = TraceText(path)
    assert text.read() == (False, b"Continue? ")
    assert text.read() == (False, b"")
    with path.open("ab") as file:
        file.write(chain.write(b"y\nnext\n", at=AT))
    assert text.read() == (False, b"y\nnext\n")
    assert text.rest() == b""


def test_letters_that_could_begin_a_mark_are_kept_back_only_while_more_comes(
    tmp_path: Path,
) -> None:
    path = tmp_path / "trace"
    path.write_bytes(trace([b"a sect"]))
    assert TraceText(path, timestamps=True).read() == (False, STAMP + b"a sect")


def test_a_trace_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"cannot read .*/trace: No such file"):
        TraceText(tmp_path / "trace").read()


WORDS = st.sampled_from(
    [b"a", b"\n", b"\r", "é🎉".encode(), b"section_", b"section_start:1:x\r\x1b[0K", b" "]
)


@given(
    st.lists(st.lists(WORDS, max_size=6).map(b"".join), max_size=6), st.integers(1, 200), st.data()
)
def test_text_does_not_depend_on_how_reading_is_split(
    parts: list[bytes], block: int, data: st.DataObject
) -> None:
    options = data.draw(
        st.fixed_dictionaries({"timestamps": st.booleans(), "marks": st.booleans()})
    )
    with TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        path = Path(directory, "trace")
        path.write_bytes(trace(parts))
        at_once = whole(path, **options)
        patch.setattr(feed, "BLOCK", block)
        assert whole(path, **options) == at_once
        if options["marks"] and not options["timestamps"]:
            assert at_once == b"".join(parts)


@given(st.lists(st.lists(WORDS, max_size=6).map(b"".join), max_size=6))
def test_with_times_the_same_lines_are_shown(parts: list[bytes]) -> None:
    with TemporaryDirectory() as directory:
        path = Path(directory, "trace")
        path.write_bytes(trace(parts))
        assert whole(path, timestamps=True).replace(STAMP, b"") == whole(path)
