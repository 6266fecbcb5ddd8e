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
    """The keepalive that Tracekeeper has for an idle limit in seconds: the product's default, 15 s,
    or, as a host may be given one, three tenths of a limit that is short, as in the lab."""
    idle = _at_most(15, idle_limit)
    return SocketOptions(
        keepalive=True, idle=idle, interval=-(-idle // 3), count=3, user_timeout=2 * idle
    )


def clients(idle_limit: int) -> dict[ClientName, Client]:
    """Every client. Ours, and the sysctls that everybody was told to set (60, 60, 5), are made to
    suit a short idle limit; the other two are what they are."""
    time = _at_most(60, idle_limit)
    return {
        "none": Client("no keepalive"),
        "sysctl": Client("sysctls only", sysctls=Sysctls(time=time, interval=time, probes=5)),
        "15s": Client("15 s keepalive", every(15)),
        "30s": Client("30 s keepalive but not on TLS", every(30), skips_tls=True),
        "ours": Client("Tracekeeper", ours(idle_limit), resumes=True),
    }


def _at_most(seconds: int, idle_limit: int) -> int:
    return max(1, min(seconds, idle_limit * 3 // 10))
