"""What the kernel knows of a TCP connection: its timer, also that of the other end on this machine.

sock_diag(7) shows sockets of one network namespace. The other end of a connection may be in
another one, of a container say; with the right to enter it (CAP_SYS_ADMIN) it is looked for there.
"""

import ctypes
import os
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

Kind: TypeAlias = Literal["none", "retransmit", "keepalive", "time-wait", "probe"]
Address: TypeAlias = tuple[str, int]

_KINDS: tuple[Kind, ...] = ("none", "retransmit", "keepalive", "time-wait", "probe")
_NETLINK_SOCK_DIAG, _BY_FAMILY, _REQUEST, _ERROR = 4, 20, 1, 2
_HEADER = struct.Struct("=IHHII")
_REQUEST_BODY = struct.Struct("=BBBBI")
_ID = struct.Struct("!HH16s16s")
_NO_COOKIE = struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)  # any interface, no cookie
_ANSWER = struct.Struct("=BBBB48sI")
_LISTEN = 10
_CLONE_NEWNET = 0x40000000


class Timer(msgspec.Struct, frozen=True):
    """The timer that the kernel has set for a connection, and the seconds until it fires.

    A quiet connection has a keepalive timer, or none where SO_KEEPALIVE is off.
    """

    kind: Kind
    remaining: float


def timer(local: Address, remote: Address) -> Timer | None:
    """The timer of the TCP socket between two addresses in our network namespace; None where
    there is no such socket. Raises OSError where the kernel does not tell (not Linux)."""
    if not hasattr(socket, "AF_NETLINK"):
        raise OSError("sockets can only be looked at on Linux")
    family = socket.AF_INET6 if ":" in local[0] else socket.AF_INET
    body = _REQUEST_BODY.pack(family, socket.IPPROTO_TCP, 0, 0, 0xFFFFFFFF)
    body += _ID.pack(local[1], remote[1], _packed(family, local[0]), _packed(family, remote[0]))
    body += _NO_COOKIE
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as netlink:
        head = _HEADER.pack(_HEADER.size + len(body), _BY_FAMILY, _REQUEST, 1, 0)
        netlink.sendto(head + body, (0, 0))
        answer = netlink.recv(8192)
    if _HEADER.unpack_from(answer)[1] == _ERROR:
        return None
    _, state, kind, _, _, expires = _ANSWER.unpack_from(answer, _HEADER.size)
    if state == _LISTEN:  # whoever would accept such a connection is shown in its place
        return None
    return Timer(_KINDS[kind], expires / 1000)


def timer_anywhere(local: Address, remote: Address) -> Timer | None:
    """The same, looked for in every network namespace that we may enter. Blocks."""
    found = timer(local, remote)
    if found is not None:
        return found
    looked: list[Timer] = []
    # A thread of its own: the namespace is the thread's, and this one may not go back.
    thread = threading.Thread(target=_search, args=(local, remote, looked))
    thread.start()
    thread.join()
    return looked[0] if looked else None


def _search(local: Address, remote: Address, looked: list[Timer]) -> None:
    for namespace in _namespaces():
        if _enter(namespace) and (found := timer(local, remote)):
            looked.append(found)
            return


def _namespaces() -> Iterator[Path]:
    """One process's name for each network namespace but ours."""
    seen = {os.stat("/proc/self/ns/net").st_ino}
    for path in Path("/proc").glob("[0-9]*/ns/net"):
        try:
            inode = path.stat().st_ino
        except OSError:
            continue  # gone, or not ours to see
        if inode not in seen:
            seen.add(inode)
            yield path


def _enter(namespace: Path) -> bool:
    try:
        descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        entered: int = ctypes.CDLL(None).setns(descriptor, _CLONE_NEWNET)
        return entered == 0
    finally:
        os.close(descriptor)


def _packed(family: int, address: str) -> bytes:
    return socket.inet_pton(family, address.partition("%")[0]).ljust(16, b"\0")
