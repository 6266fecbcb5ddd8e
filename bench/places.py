"""The engines that benches speak to: the near one, and a remote one over mutual TLS.

The remote one is in `tracekeeper.net.lab`: a dockerd behind a router, in network namespaces. While
it is current, every socket that is made, and every program that is started, is on its client.
"""

import os
import shutil
import subprocess
import sys
from asyncio import run
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from tracekeeper.engine.client import answers
from tracekeeper.engine.host import Host
from tracekeeper.engine.hosts import find_host
from tracekeeper.errors import TracekeeperError

IMAGE = "busybox:latest"


class Place(NamedTuple):
    """An engine, and the variables that tell the Docker CLI of it."""

    name: str
    host: Host
    environment: dict[str, str]

    def docker(self, *arguments: str) -> str:
        """What the Docker CLI prints. Ends the bench if it fails."""
        result = subprocess.run(
            ["docker", *arguments],
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            sys.exit(f"docker {' '.join(arguments)}: {result.stderr}")
        return result.stdout.strip()

    @contextmanager
    def container(self, script: str, *options: str) -> Iterator[str]:
        """The id of a container without a network that runs `script`; removed at the end."""
        log = ("--log-driver", "json-file", "--log-opt", "max-size=1000g")
        name = self.docker(
            "run", "--detach", "--network", "none", *log, *options, IMAGE, "sh", "-c", script
        )
        try:
            yield name
        finally:
            self.docker("rm", "--force", name)


def places() -> Iterator[Place]:
    """The near engine, then the remote one; what cannot be had is said and left out."""
    if not shutil.which("docker"):
        print("left out: no docker client")
        return
    yield from near()
    yield from remote()


def near() -> Iterator[Place]:
    """The engine that the environment names."""
    host = find_host(os.environ)
    if why := run(answers(host)):
        print(f"left out: {why}")
        return
    yield Place(host.url.partition("://")[0], host, {})


def remote() -> Iterator[Place]:
    """An engine over mutual TLS."""
    try:
        from tracekeeper.net.lab import Lab

        with Lab(variant="none") as lab, lab.inside():
            yield Place("TLS", lab.host, lab.environment)
    except (ImportError, TracekeeperError) as error:
        print(f"left out: no remote engine: {error}")
