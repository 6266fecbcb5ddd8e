"""A byte stream to an engine: all that the layers above know of one."""

import socket
from typing import Protocol

READ_SIZE = 256 * 1024
CONNECT_TIMEOUT = 10.0
"""Seconds for each step until a connection stands."""


class Connection(Protocol):
    """A byte stream to an engine. Every call may raise ConnectionLost."""

    async def read(self) -> bytes:
        """The next bytes; empty when the other side has finished sending."""
        ...

    async def write(self, data: bytes) -> None:
        """Send, and wait until most of it has left our memory."""
        ...

    async def write_eof(self) -> None:
        """Finish sending; reading goes on."""
        ...

    @property
    def socket(self) -> "socket.socket":
        """The socket at the bottom, for who wants to look at it."""
        ...

    @property
    def usable(self) -> bool:
        """False once the other side is known to be gone."""
        ...

    def close(self) -> None:
        """Close at once; what has not been sent is dropped."""
        ...


class Dial(Protocol):
    """Makes connections to one engine, and owns what they share."""

    async def __call__(self) -> Connection:
        """One connection. Raises EngineUnreachable."""
        ...

    def close(self) -> None:
        """End what the connections share, and so those that go through it."""
        ...
