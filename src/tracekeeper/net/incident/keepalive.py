"""The keepalive of a TCP endpoint (RFC 9293 §3.8.4, as Linux has it: tcp_keepalive_timer)."""

from typing import Literal, TypeAlias

from tracekeeper.net.incident.options import Settings

Action: TypeAlias = Literal["probe", "give up"]


class KeepaliveTimer:
    """When to probe a silent peer, and when to give it up.

    Silence is measured from what the peer last sent, and ends with anything that it sends. While
    data is in flight no probe is sent: finding a dead peer is then up to retransmission.
    """

    __slots__ = ("_heard", "_probes", "_sent", "_settings")

    def __init__(self, now: int, settings: Settings) -> None:
        self._settings = settings
        self.heard(now)

    def heard(self, now: int) -> None:
        """The peer has sent data, or acknowledged something."""
        self._heard = now
        self._sent = 0
        self._probes = 0

    @property
    def deadline(self) -> int | None:
        """When `expire` is due unless the peer is heard before; None if keepalive is off."""
        if not self._settings.idle:
            return None
        if self._probes:
            return self._sent + self._settings.interval
        return self._heard + self._settings.idle

    def expire(self, now: int) -> Action:
        """The deadline has come."""
        if self._is_dead(now):
            return "give up"
        self._sent = now
        self._probes += 1
        return "probe"

    def _is_dead(self, now: int) -> bool:
        """TCP_USER_TIMEOUT takes the place of the count of probes."""
        if limit := self._settings.user_timeout:
            return self._probes > 0 and now - self._heard >= limit
        return self._probes >= self._settings.count
