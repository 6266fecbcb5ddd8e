"""ssh's ProxyCommand: bytes between standard input and output and a proxy's tunnel, whose socket
has our keepalive. ``python -m tracekeeper.engine.proxy_command HOST PORT``; ssh.py starts it."""

import asyncio
import os
import sys

import msgspec

from tracekeeper.engine.connection import READ_SIZE, Connection
from tracekeeper.engine.errors import ConnectionLost
from tracekeeper.engine.host import Host
from tracekeeper.engine.proxy import through_proxy
from tracekeeper.engine.ssh import FOR_PROXY
from tracekeeper.engine.tasks import first
from tracekeeper.errors import TracekeeperError


def main() -> None:
    """Pump until one side is done. What goes wrong is said on standard error, where ssh's own
    complaints are."""
    host = msgspec.json.decode(os.environ[FOR_PROXY], type=Host)
    try:
        asyncio.run(_pump(host, sys.argv[1], int(sys.argv[2])))
    except TracekeeperError as error:
        sys.exit(error.message)


async def _pump(host: Host, name: str, port: int) -> None:
    tunnel = await through_proxy(host, name, port)
    try:
        await first(_up(tunnel), _down(tunnel))
    finally:
        tunnel.close()


async def _up(tunnel: Connection) -> None:
    reader = asyncio.StreamReader(READ_SIZE)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while data := await reader.read(READ_SIZE):
        await tunnel.write(data)


async def _down(tunnel: Connection) -> None:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(
        lambda: asyncio.streams.FlowControlMixin(loop), sys.stdout
    )
    writer = asyncio.StreamWriter(transport, protocol, None, loop)
    while data := await tunnel.read():
        writer.write(data)
        await writer.drain()
    raise ConnectionLost("the proxy closed the tunnel")


if __name__ == "__main__":
    main()
