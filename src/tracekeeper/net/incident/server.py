"""What a server keeps of the trace that a runner sends it, with and without live traces.

Without, it appends to a file on a disk that all of its processes share. With them, the newest part
is in memory (Redis); whenever a chunk is full, the chunk goes to the database, and at the job's
end all of it goes to object storage. Either way it can keep only what it was sent.
"""

CHUNK = 128 * 1024


class TraceFile:
    """A trace on a shared disk."""

    def __init__(self) -> None:
        self._file = bytearray()

    def patch(self, data: bytes) -> None:
        """The runner sends more of the trace."""
        self._file += data

    def archive(self) -> bytes:
        """The job has ended: what readers find from now on."""
        return bytes(self._file)


class LiveTrace:
    """A trace in memory, then in the database, then in object storage."""

    def __init__(self) -> None:
        self._memory = bytearray()
        self._database: list[bytes] = []

    def patch(self, data: bytes) -> None:
        """See `TraceFile.patch`."""
        self._memory += data
        while len(self._memory) >= CHUNK:
            self._persist()

    def archive(self) -> bytes:
        """See `TraceFile.archive`."""
        self._persist()
        return b"".join(self._database)

    def _persist(self) -> None:
        self._database.append(bytes(self._memory[:CHUNK]))
        del self._memory[:CHUNK]


def kept(data: bytes, *, live: bool) -> bytes:
    """What a reader finds of a trace of which the runner has received `data`."""
    trace = LiveTrace() if live else TraceFile()
    for line in data.splitlines(keepends=True):
        trace.patch(line)
    return trace.archive()
