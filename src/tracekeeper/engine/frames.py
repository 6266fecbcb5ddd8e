"""The frames in which a Docker Engine joins stdout and stderr of a container without a TTY.

    byte 0      1: stdout, 2: stderr (0, stdin, is written to stdout; 3 is the daemon's own error)
    bytes 1–3   zero
    bytes 4–7   the payload's size, big-endian
    then        the payload

Source: Docker Engine API, `ContainerAttach`, "Stream format". Pure.
"""

from struct import Struct
from typing import TypeAlias

from tracekeeper.engine.errors import ConnectionLost, StreamBrokenOff

Frame: TypeAlias = tuple[int, bytes]
"""Stream and payload. A plain tuple: a log of 500 MB is five million of them."""

STDOUT, STDERR, SYSTEM_ERROR = 1, 2, 3
HEADER_SIZE = 8
_header = Struct(">B3sI").unpack_from
_pack = Struct(">BxxxI").pack


class FrameDecoder:
    """Cuts a byte stream into frames, however the stream is split."""

    __slots__ = ("_rest", "taken")

    def __init__(self) -> None:
        self._rest = b""
        self.taken = b""
        """The bytes of the frames that the last `feed` gave, with their headers."""

    @property
    def pending(self) -> int:
        """Bytes of a frame that is not complete yet."""
        return len(self._rest)

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes.

        Raises ConnectionLost for bytes that are no frame header, and for the daemon's own error:
        another answer may have what this one lacks.
        """
        if self._rest:
            data = self._rest + data
        frames: list[Frame] = []
        append = frames.append
        position, end = 0, len(data) - HEADER_SIZE
        while position <= end:
            stream, zeros, size = _header(data, position)
            if stream > STDERR or zeros != b"\0\0\0":
                raise _broken(data[position:])
            start = position + HEADER_SIZE
            if start + size > len(data):
                break
            position = start + size
            append((stream, data[start:position]))
        self.taken, self._rest = data[:position], data[position:]
        return frames


def encoded(frames: list[Frame]) -> bytes:
    """The bytes of these frames, as the daemon sends them."""
    return b"".join([_pack(stream, len(data)) + data for stream, data in frames])


def _broken(data: bytes) -> ConnectionLost:
    if data[0] == SYSTEM_ERROR:
        sentence = data[HEADER_SIZE:].decode(errors="replace").strip()
        return StreamBrokenOff(f"the engine broke its stream off: {sentence}")
    return ConnectionLost(f"the engine sent bytes that are no frame of output: {data[:16]!r}")
