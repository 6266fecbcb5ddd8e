"""A stand-in that answers as Docker Engine 29 does, in front of an older real daemon.

It speaks API 1.44 to 1.52 and refuses what is older, with the engine's own sentence; answers lack
the fields, and have the content types, that came with these versions. Everything is done by the
daemon behind it, which is spoken to in its own version. Built to the published behaviour
(Engine API version history); not compared with an Engine 29.
"""

import json
import re
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, ClassVar

OLDEST, NEWEST = (1, 44), (1, 52)
BEHIND = "1.41"
MULTIPLEXED = "application/vnd.docker.multiplexed-stream"
_HOP_BY_HOP = {"content-length", "transfer-encoding", "connection"}
_OMITTED_IF_UNSET = ("Cmd", "Entrypoint", "Env", "Labels", "OnBuild", "User", "Volumes")
_ADDRESSES = (
    *("Bridge", "HairpinMode", "LinkLocalIPv6Address", "LinkLocalIPv6PrefixLen", "EndpointID"),
    *("SecondaryIPAddresses", "SecondaryIPv6Addresses", "Gateway", "GlobalIPv6Address"),
    *("GlobalIPv6PrefixLen", "IPAddress", "IPPrefixLen", "IPv6Gateway", "MacAddress"),
)


@contextmanager
def engine29(daemon: Path, listen: Path) -> Iterator["Engine29"]:
    """The stand-in at the UNIX socket `listen`, for as long as it is needed."""
    with Engine29(str(listen), _Exchange) as server:
        server.daemon_socket = str(daemon)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Engine29(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """`asked` is every request line; `refused` those of a version that is not spoken."""

    daemon_threads = True
    daemon_socket: str

    def __init__(self, *args: Any) -> None:
        self.asked: list[str] = []
        self.refused: list[str] = []
        super().__init__(*args)


class _Exchange(socketserver.StreamRequestHandler):
    """One request on one connection."""

    server: Engine29
    connection: socket.socket

    def handle(self) -> None:
        """Ask the daemon, and answer as a newer one."""
        line = self.rfile.readline()
        if not line:
            return None
        head = list(iter(self.rfile.readline, b"\r\n"))
        method, target, _ = line.decode().split(" ")
        self.server.asked.append(f"{method} {target}")
        versioned = re.match(r"/v(\d+)\.(\d+)(/.*)", target)
        if versioned:
            version = int(versioned[1]), int(versioned[2])
            if not OLDEST <= version <= NEWEST:
                return self._refuse(version, target)
            target = f"/v{BEHIND}{versioned[3]}"
        self._forward(method, target, head)
        return None

    def _refuse(self, version: tuple[int, int], target: str) -> None:
        self.server.refused.append(target)
        said = "{}.{}".format(*version)
        if version < OLDEST:
            message = (
                f"client version {said} is too old. Minimum supported API version is 1.44, please"
                " upgrade your client to a newer version"
            )
        else:
            message = f"client version {said} is too new. Maximum supported API version is 1.52"
        self._answer(400, "Bad Request", json.dumps({"message": message}).encode())

    def _forward(self, method: str, target: str, head: list[bytes]) -> None:
        upgrade = any(line.lower().startswith(b"upgrade:") for line in head)
        if not upgrade:
            head = [line for line in head if not line.lower().startswith(b"connection:")]
            head.append(b"Connection: close\r\n")
        with socket.socket(socket.AF_UNIX) as daemon:
            daemon.connect(self.server.daemon_socket)
            daemon.sendall(f"{method} {target} HTTP/1.1\r\n".encode() + b"".join(head) + b"\r\n")
            up = threading.Thread(target=self._pump_up, args=(daemon,), daemon=True)
            up.start()
            self._answer_with(daemon, method, target)
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            up.join()

    def _pump_up(self, daemon: socket.socket) -> None:
        with suppress(OSError):
            while data := self.rfile.read1():
                daemon.sendall(data)
            daemon.shutdown(socket.SHUT_WR)

    def _answer_with(self, daemon: socket.socket, method: str, target: str) -> None:
        response = HTTPResponse(daemon, method=method)
        with suppress(OSError):
            response.begin()
            change = _change(method, target) if response.status == 200 else None
            if change:
                document = change(json.loads(response.read()))
                return self._answer(200, "OK", json.dumps(document).encode())
            self._pass_on(response, target)
        return None

    def _pass_on(self, response: HTTPResponse, target: str) -> None:
        """The daemon's answer as it is, but for its head."""
        headers = dict(response.headers.items()) | self._OURS
        if re.search(r"/(attach|logs|exec/[^/]+/start)(\?|$)", target):
            headers["Content-Type"] = MULTIPLEXED
        if response.status != 101:
            headers["Connection"] = "close"
        lines = [f"HTTP/1.1 {response.status} {response.reason}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.connection.sendall("\r\n".join([*lines, "", ""]).encode())
        while data := response.fp.read1(1 << 16):
            self.connection.sendall(data)

    def _answer(self, status: int, reason: str, body: bytes) -> None:
        headers = {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Connection": "close",
            **self._OURS,
        }
        lines = [f"HTTP/1.1 {status} {reason}", *(f"{k}: {v}" for k, v in headers.items())]
        self.connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)

    _OURS: ClassVar = {"Api-Version": "1.52", "Server": "Docker/29.1.2 (linux)"}


def _change(method: str, target: str) -> Callable[[Any], Any] | None:
    """What makes the document of an answer one of Engine 29."""
    path = target.partition("?")[0].removeprefix(f"/v{BEHIND}")
    for pattern, change in _CHANGES:
        if method == "GET" and re.fullmatch(pattern, path):
            return change
    return None


def _version(document: Any) -> Any:
    versions = {"Version": "29.1.2", "ApiVersion": "1.52", "MinAPIVersion": "1.44"}
    engine = document["Components"][0]
    return {
        **document,
        **versions,
        "Components": [{**engine, "Version": "29.1.2", "Details": engine["Details"] | versions}],
    }


def _image(document: Any) -> Any:
    """1.44 VirtualSize, 1.45 Container and ContainerConfig, 1.50 and 1.52 what is not set."""
    for name in ("VirtualSize", "Container", "ContainerConfig"):
        document.pop(name, None)
    for name in ("Parent", "Comment", "DockerVersion", "Author"):
        if not document.get(name):
            document.pop(name, None)
    config = document["Config"] or {}
    for name in (*_OMITTED_IF_UNSET, "WorkingDir"):
        if not config.get(name):
            config.pop(name, None)
    for name in ("Hostname", "Domainname", "Image", "Tty", "OpenStdin", "StdinOnce"):
        config.pop(name, None)
    for name in ("AttachStdin", "AttachStdout", "AttachStderr"):
        config.pop(name, None)
    return document


def _container(document: Any) -> Any:
    """1.52: addresses are those of each network; nothing of kernel memory; no OnBuild unset."""
    for name in _ADDRESSES:
        document["NetworkSettings"].pop(name, None)
    document["Config"].pop("OnBuild", None)
    for name in ("KernelMemory", "KernelMemoryTCP"):
        document["HostConfig"].pop(name, None)
    return document


_CHANGES: list[tuple[str, Callable[[Any], Any]]] = [
    ("/version", _version),
    ("/images/.+/json", _image),
    ("/containers/[^/]+/json", _container),
    ("/networks/[^/]+", lambda document: {**document, "Status": {"IPAM": {"Subnets": {}}}}),
]
