"""A client for the Docker Engine API that knows a broken connection from a finished one.

What is pure (frames, chunked, marker, position, follow, references) does no I/O; transport dials,
http speaks, client and its parts know the API. Import the modules; this file imports nothing,
because a run without containers must not pay for asyncio and an HTTP parser.
"""
