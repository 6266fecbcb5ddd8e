"""The filter, run by an interpreter of the few instructions of classic BPF that it uses."""

import socket
import struct

import pytest

from tracekeeper.net.lab.without_keepalive import command, instructions

ALLOW, DO_NOTHING = 0x7FFF0000, 0x00050000
X86, ARM = 0xC000003E, 0xC00000B7
KEEPALIVE = (socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def verdict(machine: str, architecture: int, number: int, level: int, option: int) -> int:
    data = struct.pack("=iIQQQQQQQ", number, architecture, 0, 3, level, option, 0, 0, 0)
    program = list(struct.iter_unpack("=HBBI", instructions(machine)))
    at = value = 0
    while True:
        code, then, otherwise, constant = program[at]
        at += 1
        match code:
            case 0x20:
                (value,) = struct.unpack_from("=I", data, constant)
            case 0x15:
                at += then if value == constant else otherwise
            case 0x06:
                return int(constant)
            case _:
                raise AssertionError(code)


@pytest.mark.parametrize(
    ("machine", "architecture", "number"), [("x86_64", X86, 54), ("aarch64", ARM, 208)]
)
def test_only_the_keepalive_is_passed_over(machine: str, architecture: int, number: int) -> None:
    level, option = KEEPALIVE
    assert verdict(machine, architecture, number, level, option) == DO_NOTHING
    assert verdict(machine, architecture, number, level, socket.SO_REUSEADDR) == ALLOW
    assert verdict(machine, architecture, number, socket.IPPROTO_TCP, option) == ALLOW
    assert verdict(machine, architecture, number + 1, level, option) == ALLOW
    assert verdict(machine, architecture + 1, number, level, option) == ALLOW


def test_a_machine_that_is_not_known_is_refused() -> None:
    with pytest.raises(KeyError):
        instructions("vax")


def test_the_program_comes_last() -> None:
    assert command(["docker", "run"])[-2:] == ["docker", "run"]
