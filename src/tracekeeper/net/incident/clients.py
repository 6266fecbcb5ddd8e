"""How clients of an engine treat the connection on which a job's log comes."""

from typing import Literal, TypeAlias

import msgspec

from tracekeeper.net.incident.options import SocketOptions, Sysctls

Executor: TypeAlias = Literal["unix", "tcp", "tls"]
ClientName: TypeAlias = Literal["none", "sysctl", "15s", "30s", "ours"]

_OFF = SocketOptions()


class Client(msgspec.Struct, frozen=True):
    """A client by its `title`, what it sets on its socket, and what its system is set to.

    With `skips_tls` it finds no plain TCP connection under TLS, and sets nothing there. With
    `resumes` it goes on over a new connection, at the byte where the old one broke.
    """

    title: str
    options: SocketOptions = _OFF
    sysctls: Sysctls = Sysctls()
    skips_tls: bool = False
    resumes: bool = False

    def options_for(self, executor: Executor) -> SocketOptions:
        """The options of its socket to such an engine; a UNIX socket knows no keepalive."""
        if executor == "unix" or (executor == "tls" and self.skips_tls):
            return _OFF
        return self.options


def every(seconds: int) -> SocketOptions:
    """A keepalive as Go sets it: one period for idle and interval, and the kernel's count."""
    return SocketOptions(keepalive=True, idle=seconds, interval=seconds)


def ours(idle_limit: int) -> SocketOptions:
    """The keepalive that Tracekeeper has for an idle limit in seconds.

    The product's default, 15 s, suits every limit of more than 50 s. For a shorter one, as in the
    lab, a host is given a keepalive of its own, of three tenths of it.
    """
    idle = max(1, min(15, idle_limit * 3 // 10))
    return SocketOptions(
        keepalive=True, idle=idle, interval=-(-idle // 3), count=3, user_timeout=2 * idle
    )


def clients(idle_limit: int) -> dict[ClientName, Client]:
    """Every client, for an idle limit in seconds that matters to ours alone."""
    return {
        "none": Client("no keepalive"),
        "sysctl": Client("sysctl only", sysctls=Sysctls(time=60, interval=60, probes=5)),
        "15s": Client("keepalive 15 s", every(15)),
        "30s": Client("30 s, not on TLS", every(30), skips_tls=True),
        "ours": Client("Tracekeeper", ours(idle_limit), resumes=True),
    }
