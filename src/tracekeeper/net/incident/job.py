"""The incident's job: what it writes, and when."""

import msgspec

FIRST = b"Mon Nov 25 10:00:00 UTC 2019\n"
HELLO = b"Hello world!\n"
LAST = b"Mon Nov 25 10:10:01 UTC 2019\n"


class Output(msgspec.Struct, frozen=True):
    """Bytes that the job writes `at` milliseconds after its start."""

    at: int
    data: bytes


def output(sleep: int) -> list[Output]:
    """``date; sleep N; echo "Hello world!"; date``, N in milliseconds; then the job exits."""
    return [Output(0, FIRST), Output(sleep, HELLO), Output(sleep, LAST)]
