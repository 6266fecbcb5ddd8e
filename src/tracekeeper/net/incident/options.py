"""What decides whether a kernel keeps a connection alive: socket options and sysctls (tcp(7))."""

import msgspec


class Sysctls(msgspec.Struct, frozen=True):
    """net.ipv4.tcp_keepalive_{time,intvl,probes} and tcp_retries2. Seconds and counts."""

    time: int = 7200
    interval: int = 75
    probes: int = 9
    retries2: int = 15


class SocketOptions(msgspec.Struct, frozen=True):
    """What a program sets on its socket. Seconds and counts; 0 leaves a value to the kernel.

    `keepalive` is SO_KEEPALIVE: unless it is on, the other values mean nothing, and neither do
    the sysctls. `user_timeout` is TCP_USER_TIMEOUT (RFC 5482), 0 for none.
    """

    keepalive: bool = False
    idle: int = 0
    interval: int = 0
    count: int = 0
    user_timeout: int = 0


class Settings(msgspec.Struct, frozen=True):
    """What is in force on a socket. Milliseconds and counts; `idle` 0: no keepalive."""

    idle: int
    interval: int
    count: int
    user_timeout: int
    retries2: int


_KERNEL = Sysctls()


def in_force(options: SocketOptions, sysctls: Sysctls = _KERNEL) -> Settings:
    """What `options` of a socket and `sysctls` of its network namespace come to."""
    idle = (options.idle or sysctls.time) if options.keepalive else 0
    return Settings(
        idle=idle * 1000,
        interval=(options.interval or sysctls.interval) * 1000,
        count=options.count or sysctls.probes,
        user_timeout=options.user_timeout * 1000,
        retries2=sysctls.retries2,
    )
