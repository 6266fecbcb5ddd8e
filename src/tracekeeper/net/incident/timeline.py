"""What happened to a connection, one event after the other."""

from typing import Literal, TypeAlias

import msgspec

from tracekeeper.net.incident.segments import Kind, Side

Fate: TypeAlias = Literal["", "dropped", "rejected"]


class Event(msgspec.Struct, frozen=True):
    """Something `origin` did `at` milliseconds after the job's start.

    `kind` is that of a segment, *syn* for a new connection, *forgotten* when the firewall forgets
    the connection, or *timed_out* when an endpoint gives it up. `size` is the payload; `fate` is
    what the firewall made of the packet.
    """

    at: int
    kind: Kind | Literal["syn", "forgotten", "timed_out"]
    origin: Side | Literal["firewall"]
    size: int = 0
    fate: Fate = ""
