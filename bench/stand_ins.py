"""A job for the docker executor alone, without the program around it."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
from bench.places import IMAGE

from tracekeeper.engine.host import Host
from tracekeeper.events import ConnectionEvent
from tracekeeper.protocol.payload import ImageSpec, JobInfo, JobPayload
from tracekeeper.runner.executors.docker import DockerExecutor


class Silent:
    """An `Output` that keeps nothing."""

    def write(self, data: bytes, *, at: int | None = None) -> None: ...
    def preview(self, data: bytes) -> None: ...
    def note(self, text: str) -> None: ...
    def tell(self, event: ConnectionEvent) -> None: ...
    def checkpoint(self, standing: msgspec.Struct, *, now: bool = False) -> None: ...


class NoSources:
    """A checkout without files."""

    def materialize(self, dest: Path) -> None: ...
    def release(self, dest: Path) -> None: ...
    def tar(self, prefix: str) -> Iterator[bytes]:
        yield bytes(1024)


def executor(host: Host, number: int = 1) -> DockerExecutor:
    """An executor for a job without variables, in the image of all benches."""
    info = JobInfo(number, "job", "test")
    payload = JobPayload(number, "", info, (), (), image=ImageSpec(IMAGE))
    return DockerExecutor(payload, {}, host=host, sources=NoSources(), labels={})
