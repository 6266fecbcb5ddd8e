"""A stateful firewall that forgets a connection on which nothing was sent for too long."""

from typing import Literal, TypeAlias

from tracekeeper.net.incident.segments import Segment, Side

Variant: TypeAlias = Literal["drop", "reject", "reopen"]
Decision: TypeAlias = Literal["pass", "drop", "reject"]


class Flow:
    """What the firewall knows of one connection, which the client has just opened through it.

    Each packet that passes keeps it known for another `idle` milliseconds, keepalives too. Of a
    forgotten connection, `variant` *drop* lets no packet pass; *reject* answers each with an RST;
    *reopen* knows it again with the first packet from the client's side, which it trusts, and
    drops what comes from the other (Google Cloud's rule: ingress needs tracking).
    """

    __slots__ = ("_idle", "_last", "_variant", "known")

    def __init__(self, now: int, idle: int, variant: Variant) -> None:
        self._idle = idle
        self._variant = variant
        self._last = now
        self.known = True

    @property
    def deadline(self) -> int | None:
        """When the connection is forgotten unless a packet passes before; None if it has been."""
        return self._last + self._idle if self.known else None

    def tick(self) -> None:
        """The deadline has come."""
        self.known = False

    def decide(self, now: int, origin: Side, segment: Segment) -> Decision:
        """What becomes of a packet from `origin`."""
        trusted = self._variant == "reopen" and origin == "client"
        if trusted and segment.kind not in ("fin", "rst"):  # with an end nothing begins
            self.known = True
        if self.known or trusted:
            self._last = now
            return "pass"
        rejects = self._variant == "reject" and segment.kind != "rst"
        return "reject" if rejects else "drop"
