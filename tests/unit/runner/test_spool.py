import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from zlib import crc32

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekeeper.errors import StorageError
from tracekeeper.runner.spool import Commit, Spool, tail
from tracekeeper.trace.ledger import Hop


def recorded(data: bytes) -> Hop:
    return Hop("recorded", len(data), crc32(data))


def spooled(directory: Path, *parts: bytes) -> Spool:
    """A spool of committed parts, still open."""
    spool = Spool.create(directory)
    data = b""
    for number, part in enumerate(parts):
        data += part
        spool.append(part)
        spool.commit(recorded(data), {"line": number})
    return spool


def test_what_is_appended_is_read_back(tmp_path: Path) -> None:
    with spooled(tmp_path / "a/b", b"one\n", b"", b"two\n") as spool:
        assert (tmp_path / "a/b/trace").read_bytes() == b"one\ntwo\n"
        assert spool.last == Commit(8, crc32(b"one\ntwo\n"), msgspec.Raw(b'{"line":2}'))
        assert spool.seal() == Hop("spool", 8, crc32(b"one\ntwo\n"))


def test_only_the_owner_may_read_a_trace(tmp_path: Path) -> None:
    with spooled(tmp_path):
        assert (tmp_path / "trace").stat().st_mode & 0o077 == 0


def test_what_the_file_does_not_hold_any_more_is_seen(tmp_path: Path) -> None:
    spool = spooled(tmp_path, b"one\n")
    (tmp_path / "trace").write_bytes(b"two\n")
    assert spool.seal() == Hop("spool", 4, crc32(b"two\n"))


def test_a_trace_is_not_started_twice(tmp_path: Path) -> None:
    spooled(tmp_path).close()
    with pytest.raises(StorageError, match=r"cannot start a trace in .*: File exists"):
        Spool.create(tmp_path)


def test_a_commit_of_something_else_is_refused(tmp_path: Path) -> None:
    with spooled(tmp_path, b"one\n") as spool, pytest.raises(StorageError, match="has 4 bytes"):
        spool.commit(recorded(b"other\n"))


def test_a_reader_goes_on_where_it_was(tmp_path: Path) -> None:
    with spooled(tmp_path, b"one\n") as spool:
        trace = tmp_path / "trace"
        assert b"".join(tail(trace)) == b"one\n"
        assert list(tail(trace, 4)) == []
        spool.append(b"x" * 200_000)
        blocks = list(tail(trace, 4))
        assert len(blocks) > 1
        assert b"".join(blocks) == b"x" * 200_000


def test_a_reader_is_told_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"cannot read .*trace: No such file"):
        list(tail(tmp_path / "trace"))


def test_what_was_not_committed_is_cut_off(tmp_path: Path) -> None:
    spool = spooled(tmp_path, b"one\n", b"two\n")
    spool.append(b"three")
    spool.close()
    with Spool.recover(tmp_path) as again:
        assert again.last == Commit(8, crc32(b"one\ntwo\n"), msgspec.Raw(b'{"line":1}'))
        again.append(b"four\n")
        again.commit(recorded(b"one\ntwo\nfour\n"))
    assert (tmp_path / "trace").read_bytes() == b"one\ntwo\nfour\n"
    assert Spool.recover(tmp_path).seal().bytes == 13


@given(st.integers(0, 200), st.integers(0, 40), st.integers(0, 60))
def test_any_damage_leads_back_to_a_commit(
    tmp_path_factory: pytest.TempPathFactory, journal_size: int, trace_size: int, changed: int
) -> None:
    directory = tmp_path_factory.mktemp("spool")
    parts = [b"first\n", b"second, longer\n", b"third\n"]
    spooled(directory, *parts).close()
    journal, trace = directory / "journal", directory / "trace"
    os.truncate(journal, min(journal_size, journal.stat().st_size))
    whole = trace.read_bytes()
    damaged = (whole[:changed] + b"?" + whole[changed + 1 :])[: max(trace_size, 1)]
    trace.write_bytes(damaged)
    starts = [b"".join(parts[:count]) for count in range(len(parts) + 1)]
    committed = [start for start in starts if damaged.startswith(start)]
    with Spool.recover(directory) as spool:
        assert trace.read_bytes() in committed
        assert spool.size == trace.stat().st_size
        assert len(journal.read_bytes().splitlines()) == starts.index(trace.read_bytes())
        if journal_size >= 200:
            assert trace.read_bytes() == committed[-1]


def test_a_journal_line_counts_when_its_newline_is_there(tmp_path: Path) -> None:
    spooled(tmp_path, b"one\n").close()
    journal = tmp_path / "journal"
    os.truncate(journal, journal.stat().st_size - 1)
    with Spool.recover(tmp_path) as spool:
        assert (spool.size, journal.stat().st_size) == (0, 0)


def test_what_is_no_journal_counts_for_nothing(tmp_path: Path) -> None:
    spooled(tmp_path, b"one\n").close()
    (tmp_path / "journal").write_bytes(b"\x00\xff\n")
    with Spool.recover(tmp_path) as spool:
        assert (spool.size, spool.last) == (0, Commit(0, 0))


def test_a_trace_that_is_not_there_cannot_be_taken_up(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot take up the trace in"):
        Spool.recover(tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_said_with_the_place_and_for_good(tmp_path: Path) -> None:
    spooled(tmp_path, b"one\n").close()
    spool = Spool(tmp_path, os.open("/dev/full", os.O_WRONLY), os.open(os.devnull, os.O_WRONLY),
                  Commit(4, crc32(b"one\n")))  # fmt: skip
    with spool:
        with pytest.raises(
            StorageError, match=r"beyond byte 4 of the trace in .*: No space"
        ) as info:
            spool.append(b"two\n")
        assert info.value.hint == "make room on the disk"
        assert spool.size == 4
        with pytest.raises(StorageError) as again:
            spool.commit(recorded(b"one\n"))
        assert again.value is info.value
    assert b"".join(tail(tmp_path / "trace")) == b"one\n"


def test_a_write_that_takes_a_part_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
    data = b"a longer line\n"
    spool = spooled(tmp_path, data)
    assert spool.seal() == Hop("spool", len(data), crc32(data))


def test_an_error_after_a_part_was_written_leaves_nothing_that_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = spooled(tmp_path, b"one\n")
    write = os.write

    def fill_up(descriptor: int, data: bytes) -> int:
        if len(data) < 6:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return write(descriptor, data[:3])

    monkeypatch.setattr(os, "write", fill_up)
    with pytest.raises(StorageError, match=r"beyond byte 4 .*: Input/output error") as info:
        spool.append(b"second")
    assert info.value.hint == ""
    spool.close()
    monkeypatch.undo()
    with Spool.recover(tmp_path) as again:
        assert (again.size, (tmp_path / "trace").read_bytes()) == (4, b"one\n")


WRITER = """
import sys
from pathlib import Path
from tracekeeper.runner.spool import Spool
from tracekeeper.trace.chain import Chain
from tracekeeper.trace.masker import Masks
chain = Chain(Masks(["secret"]))
spool = Spool.create(Path(sys.argv[1]))
number = 0
while True:
    spool.append(chain.write(b"line %d secret\\n" % number, at=number))
    spool.commit(chain.recorded, number)
    number += 1
    if number == 1000:
        print("1000", flush=True)
"""


def test_kill_9_loses_nothing_that_was_committed(tmp_path: Path) -> None:
    directory = tmp_path / "spool"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(directory)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout
        assert writer.stdout.readline() == "1000\n"
        writer.send_signal(signal.SIGKILL)
    with Spool.recover(directory) as spool:
        lines = (directory / "trace").read_bytes().splitlines()
        assert len(lines) == int(bytes(spool.last.state)) + 1 >= 1000
        assert lines[-1].endswith(b"01O line %d [MASKED]" % (len(lines) - 1))
    assert (
        b"secret" not in (directory / "trace").read_bytes() + (directory / "journal").read_bytes()
    )
