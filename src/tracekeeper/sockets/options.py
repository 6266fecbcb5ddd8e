"""The options of every TCP socket that we dial or accept, chosen here and nowhere else.

A keepalive finds a peer that is gone while the line is quiet: after `idle` seconds of silence a
probe goes out, then one every `interval` seconds; `count` unanswered ones end the connection
(RFC 9293 §3.8.4, tcp(7)). It does not fire while data is on its way; for that there is
TCP_USER_TIMEOUT (RFC 5482): sent data that stays unacknowledged so long ends the connection.
The options are set on the raw socket, before TLS and before a proxy is spoken to.
"""

import socket

import msgspec

_IDLE = getattr(socket, "TCP_KEEPIDLE", None) or getattr(socket, "TCP_KEEPALIVE", None)
_INTERVAL = getattr(socket, "TCP_KEEPINTVL", None)
_COUNT = getattr(socket, "TCP_KEEPCNT", None)
_USER_TIMEOUT = getattr(socket, "TCP_USER_TIMEOUT", None)


class Keepalive(msgspec.Struct, frozen=True):
    """How soon a dead peer is noticed. Seconds, but for `count`.

    15 s is below every idle limit of a middlebox that is documented to matter, and three missed
    probes more are known after 30 s; so a dead peer is known within 45 s, quiet or not.
    """

    idle: int = 15
    interval: int = 5
    count: int = 3
    user_timeout: int = 30

    def __str__(self) -> str:
        return (
            f"after {self.idle} s, every {self.interval} s, {self.count} times;"
            f" user timeout {self.user_timeout} s"
        )


DEFAULT = Keepalive()


def apply(sock: socket.socket, keepalive: Keepalive | None = DEFAULT) -> None:
    """Turn the keepalive of a TCP socket on; None leaves it off, which is for tests and for those
    who know better. What a system cannot set keeps the system's value.

    Raises OSError if the socket is not a TCP socket.
    """
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if keepalive is None:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        (_IDLE, keepalive.idle),
        (_INTERVAL, keepalive.interval),
        (_COUNT, keepalive.count),
        (_USER_TIMEOUT, keepalive.user_timeout * 1000),
    ):
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


def read_back(sock: socket.socket) -> Keepalive | None:
    """The keepalive that the kernel has for a TCP socket; None if it is off.

    What the system cannot tell reads as 0, and so does a TCP_USER_TIMEOUT that is not set.
    """
    if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE):
        return None
    idle, interval, count, timeout = (
        0 if option is None else sock.getsockopt(socket.IPPROTO_TCP, option)
        for option in (_IDLE, _INTERVAL, _COUNT, _USER_TIMEOUT)
    )
    return Keepalive(idle, interval, count, timeout // 1000)
