"""Start a program whose sockets get no keepalive, whatever it asks for.

Programs built by Go before 1.12 (dialled connections) and 1.13 (accepted ones) had none; those of
today have one every 15 s. This makes a program of today behave as one of then: a seccomp filter
answers ``setsockopt(SOL_SOCKET, SO_KEEPALIVE)`` with success and does nothing (seccomp(2)). It
holds for all that the program starts, and needs CAP_SYS_ADMIN. Standard library only.
"""

import ctypes
import os
import platform
import socket
import struct
import sys
from collections.abc import Sequence

# machine: (AUDIT_ARCH_… of linux/audit.h, number of setsockopt)
_CALLS = {"x86_64": (0xC000003E, 54), "aarch64": (0xC00000B7, 208)}
_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2
_LOAD, _IF_EQUAL, _RETURN = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
_ALLOW, _DO_NOTHING = 0x7FFF0000, 0x00050000  # SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO with no error
_NUMBER, _MACHINE, _LEVEL, _OPTION = 0, 4, 24, 32  # offsets in struct seccomp_data


def command(argv: Sequence[str]) -> list[str]:
    """What starts `argv` in that way."""
    return [sys.executable, "-I", __file__, *argv]


class _Program(ctypes.Structure):
    """struct sock_fprog"""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def instructions(machine: str) -> bytes:
    """The filter: allow, unless all four of these are as named. Raises KeyError."""
    architecture, setsockopt = _CALLS[machine]
    tests = (
        (_MACHINE, architecture),
        (_NUMBER, setsockopt),
        (_LEVEL, socket.SOL_SOCKET),
        (_OPTION, socket.SO_KEEPALIVE),
    )
    program = []
    for index, (offset, value) in enumerate(tests):
        to_allow = 2 * (len(tests) - index - 1)
        program += [(_LOAD, 0, 0, offset), (_IF_EQUAL, 0, to_allow + 1, value)]
    program += [(_RETURN, 0, 0, _DO_NOTHING), (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def install() -> None:
    """Put the filter on this process for good. Raises OSError, KeyError."""
    code = instructions(platform.machine())
    program = _Program(len(code) // 8, code)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    install()
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606
