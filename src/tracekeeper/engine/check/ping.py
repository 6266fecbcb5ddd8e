"""One question over a connection that is ours alone, and what its failure means."""

from tracekeeper.engine.connection import Connection
from tracekeeper.engine.http import Request, Timeouts, exchange

ANSWER = 10.0
"""Seconds for an answer."""
TIMEOUTS = Timeouts(answer=ANSWER, silence=ANSWER)


async def ping(connection: Connection) -> None:
    """Ask for a sign of life. Raises ConnectionLost, EngineUnreachable."""
    response = await exchange(connection, Request("GET", "/_ping"), TIMEOUTS)
    await response.read()


def is_silence(failure: BaseException | None) -> bool:
    """Whether nothing came in time: the deadline was ours or the kernel's. Every other failure has
    an error of its own, or is the end of the stream."""
    return failure is not None and isinstance(
        failure.__cause__ or failure.__context__, TimeoutError
    )
