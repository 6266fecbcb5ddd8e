"""Entering namespaces of the kernel, for one thread and for one child.

A namespace belongs to a thread: only the one that calls is moved (setns(2)).
"""

import ctypes
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

CLONE_NEWNET = 0x40000000
CLONE_NEWPID = 0x20000000
OWN_NETWORK = Path("/proc/thread-self/ns/net")

T = TypeVar("T")


@contextmanager
def inside_network(namespace: Path) -> Iterator[None]:
    """Move this thread into a network namespace, and back at the end.

    Sockets that are made inside stay inside. Raises OSError.
    """
    home = os.open(OWN_NETWORK, os.O_RDONLY | os.O_CLOEXEC)
    try:
        enter(namespace, CLONE_NEWNET)
        try:
            yield
        finally:
            _setns(home, CLONE_NEWNET)
    finally:
        os.close(home)


def with_children_in(namespace: Path, work: Callable[[], T]) -> T:
    """Call `work` in a thread whose children are born into a PID namespace. Raises OSError."""

    def enter_and_work() -> T:
        enter(namespace, CLONE_NEWPID)
        return work()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(enter_and_work).result()


def enter(namespace: Path, kind: int) -> None:
    """Move this thread (of a PID namespace: its children) for good. Raises OSError."""
    descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _setns(descriptor, kind)
    finally:
        os.close(descriptor)


def _setns(descriptor: int, kind: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, kind) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
