"""What travels between two TCP endpoints, in the words of those who read captures."""

from typing import Literal, TypeAlias

import msgspec

Side: TypeAlias = Literal["client", "engine"]
Kind: TypeAlias = Literal[
    "data", "ack", "keepalive", "keepalive_ack", "retransmission", "rst", "fin"
]


class Segment(msgspec.Struct, frozen=True):
    """One TCP segment. `kind` is what its sender means by it, `size` the bytes of its payload.

    Sequence numbers count from 0 in each direction once the connection stands; a FIN takes one.
    """

    kind: Kind
    seq: int
    ack: int
    size: int = 0
    fin: bool = False

    @property
    def length(self) -> int:
        """The sequence numbers it takes."""
        return self.size + self.fin

    @property
    def end(self) -> int:
        """The sequence number after it."""
        return self.seq + self.length


def other(side: Side) -> Side:
    """The side that `side` speaks to."""
    return "engine" if side == "client" else "client"
