"""The runner's spool: one trace on disk, which survives the death of the process.

A spool is a directory of two files. ``trace`` holds the trace's bytes and only grows. ``journal``
gets a line at each commit: how long the trace is, its CRC-32, and the state of whoever writes it,
which is all that is needed to go on from there. What is behind the last whole line of the journal
cannot be gone on from, and is cut off when a spool is taken up again.

Neither file holds a secret: what the masker holds back is not written, and its source is
read again.

Writing is safe from kill -9, not from the loss of power: nothing is synced to the medium.
"""

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self
from zlib import crc32

import msgspec

from tracekeeper.errors import StorageError
from tracekeeper.trace.ledger import Hop

_BLOCK = 64 * 1024


class Commit(msgspec.Struct, frozen=True, array_like=True):
    """One line of the journal: the first `bytes` of the trace have CRC-32 `crc`, and `state` is
    what its writer needs to go on from there, as JSON."""

    bytes: int
    crc: int
    state: msgspec.Raw = msgspec.Raw(b"null")


_START = Commit(0, 0)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Commit).decode


class Spool:
    """Writes one trace. After a `StorageError` it takes nothing more: every call raises it again.

    `append` and `commit` return quickly, as long as the disk's cache does.
    """

    __slots__ = ("_failure", "_journal", "_trace", "directory", "last", "size")

    def __init__(self, directory: Path, trace: int, journal: int, last: Commit) -> None:
        self.directory = directory
        self.last = last
        """The latest commit."""
        self.size = last.bytes
        """How many bytes the trace has."""
        self._trace = trace
        self._journal = journal
        self._failure: StorageError | None = None

    @classmethod
    def create(cls, directory: Path) -> Self:
        """Start a spool in `directory`, which is made if need be and must not hold one yet."""
        try:
            directory.mkdir(parents=True, exist_ok=True)
            trace = _open(directory / "trace", os.O_EXCL | os.O_CREAT)
            journal = _open(directory / "journal", os.O_EXCL | os.O_CREAT)
        except OSError as error:
            raise _storage_error("cannot start a trace in", directory, error) from error
        return cls(directory, trace, journal, _START)

    @classmethod
    def recover(cls, directory: Path, *, keep: bool = False) -> Self:
        """Take up a spool whose process has died, at its last commit that the trace bears out.
        With `keep`, the whole lines behind it stay: nobody will write them again."""
        try:
            last, end = _last_commit(directory)
            trace = _open(directory / "trace")
            journal = _open(directory / "journal")
            size = _whole_lines(directory / "trace", last.bytes) if keep else last.bytes
            os.ftruncate(trace, size)
            os.ftruncate(journal, end)
        except OSError as error:
            raise _storage_error("cannot take up the trace in", directory, error) from error
        spool = cls(directory, trace, journal, last)
        spool.size = size
        return spool

    def append(self, data: bytes) -> None:
        """Append to the trace. Readers see it at once; `commit` makes it count."""
        self._write(self._trace, data)
        self.size += len(data)

    def commit(self, recorded: Hop, state: object = None) -> None:
        """Journal that the trace is `recorded`, and its writer's `state`, in one line."""
        if recorded.bytes != self.size:
            raise StorageError(
                f"the trace in {self.directory} has {self.size} bytes, but {recorded.bytes} were"
                " made for it",
                hint="this is a defect of tracekeeper; please report it",
            )
        self.last = Commit(recorded.bytes, recorded.crc, msgspec.Raw(_encode(state)))
        self._write(self._journal, _encode(self.last) + b"\n")

    def seal(self) -> Hop:
        """Close the spool and read the trace back from its file."""
        self.close()
        return read_back(self.directory)

    def close(self) -> None:
        """Close the files. The trace can be taken up again with `recover`."""
        for descriptor in (self._trace, self._journal):
            if descriptor >= 0:
                os.close(descriptor)
        self._trace = self._journal = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _write(self, descriptor: int, data: bytes) -> None:
        if self._failure:
            raise self._failure
        written = 0
        try:
            while written < len(data):
                written += os.write(descriptor, data[written:] if written else data)
        except OSError as error:
            # What was written of `data` is behind the last commit: it does not count, and nothing
            # may follow it.
            message = f"cannot write beyond byte {self.size} of the trace in"
            self._failure = _storage_error(message, self.directory, error)
            raise self._failure from error


def read_back(directory: Path) -> Hop:
    """Count and check what the file of a trace holds: the hop ``spool``."""
    size = crc = 0
    for block in tail(directory / "trace"):
        size += len(block)
        crc = crc32(block, crc)
    return Hop("spool", size, crc)


def tail(trace: Path, offset: int = 0) -> Iterator[bytes]:
    """What the file `trace` holds from `offset` on, in blocks, up to its end as it is now.

    Any process may read while another one writes; a position is the sum of what was read.
    """
    try:
        with trace.open("rb", buffering=0) as file:
            file.seek(offset)
            while block := file.read(_BLOCK):
                yield block
    except OSError as error:
        raise _storage_error("cannot read", trace, error) from error


def _open(path: Path, flags: int = 0) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | flags, 0o600)


def _last_commit(directory: Path) -> tuple[Commit, int]:
    """The last commit that the trace bears out, and where its line in the journal ends."""
    last, last_end = _START, 0
    size = crc = 0
    with (directory / "trace").open("rb") as trace:
        for commit, end in _commits((directory / "journal").read_bytes()):
            while size < commit.bytes and (block := trace.read(min(_BLOCK, commit.bytes - size))):
                size += len(block)
                crc = crc32(block, crc)
            if (size, crc) != (commit.bytes, commit.crc):
                break
            last, last_end = commit, end
    return last, last_end


def _whole_lines(trace: Path, start: int) -> int:
    """Where the last line behind `start` ends that is whole."""
    end, place = start, start
    for block in tail(trace, start):
        if (found := block.rfind(b"\n")) >= 0:
            end = place + found + 1
        place += len(block)
    return end


def _commits(journal: bytes) -> Iterator[tuple[Commit, int]]:
    """The whole lines of a journal, each with the place of its end."""
    end = 0
    for line in journal.splitlines(keepends=True):
        try:
            commit = _decode(line)
        except msgspec.DecodeError:
            return
        end += len(line)
        if line.endswith(b"\n"):
            yield commit, end


def _storage_error(what: str, path: Path, error: OSError) -> StorageError:
    hint = "make room on the disk" if error.errno in {errno.ENOSPC, errno.EDQUOT} else ""
    return StorageError(f"{what} {path}: {error.strerror}", hint=hint)
