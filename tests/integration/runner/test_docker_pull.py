"""Pulling from a registry, which is a small one on loopback; the engine does the pulling."""

import asyncio
import base64
import ctypes
import fcntl
import gzip
import io
import json
import os
import socket
import struct
import tarfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from tracekeeper.engine.client import Engine
from tracekeeper.engine.host import Host
from tracekeeper.errors import JobError
from tracekeeper.events import ConnectionEvent
from tracekeeper.protocol.payload import Credentials, ImageSpec, JobInfo, JobPayload, Step
from tracekeeper.runner.docker.config import DockerSettings
from tracekeeper.runner.executors.docker import DockerExecutor

pytestmark = pytest.mark.docker

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
PASSWORD = "Basic " + base64.b64encode(b"user:secret").decode()


def digest(data: bytes) -> str:
    return f"sha256:{sha256(data).hexdigest()}"


def layer() -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name in ("bin/sh", "bin/busybox"):
            info = tarfile.TarInfo(name)
            data = Path("/bin/busybox").read_bytes()
            info.size, info.mode = len(data), 0o755
            tar.addfile(info, io.BytesIO(data))
    return archive.getvalue()


class Registry(BaseHTTPRequestHandler):
    """Serves one image, under any name, to whoever has the password."""

    contents: ClassVar[dict[str, bytes]] = {}
    manifest: ClassVar[bytes] = b""
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.headers.get("Authorization") != PASSWORD:
            return self._answer(401, b"{}", "application/json")
        if "/manifests/" in self.path:
            return self._answer(200, self.manifest, MANIFEST)
        content = self.contents.get(self.path.rpartition("/")[2])
        if content is None and self.path != "/v2/":
            return self._answer(404, b"{}", "application/json")
        return self._answer(200, content or b"{}", "application/octet-stream")

    def do_HEAD(self) -> None:
        self.do_GET()

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Docker-Content-Digest", digest(body))
        self.send_header("WWW-Authenticate", 'Basic realm="test"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002


def registry_server(engine_url: str) -> ThreadingHTTPServer:
    """A server on the engine's loopback. The tests' own engine (scripts/engine.py) is in a network
    namespace of its own; its pid lies beside its socket."""

    def listen() -> ThreadingHTTPServer:
        pid = Path(engine_url.removeprefix("unix://")).with_name("pid")
        if pid.parent.name.startswith("tk-engine-"):
            enter_network_of(int(pid.read_text()))
        return ThreadingHTTPServer(("127.0.0.1", 0), Registry)

    with ThreadPoolExecutor(1) as a_thread:  # a namespace is a thread's
        return a_thread.submit(listen).result()


def enter_network_of(pid: int) -> None:
    """Put this thread into the network namespace of a process, and turn its loopback on."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/proc/{pid}/ns/net") as namespace:
        assert libc.setns(namespace.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


@pytest.fixture(scope="module")
def registry(engine_url: str) -> Iterator[str]:
    plain = layer()
    packed = gzip.compress(plain, mtime=0)

    async def architecture() -> str:
        async with await Engine.connect(engine_url) as engine:
            return engine.version.arch

    config = json.dumps(
        {
            "architecture": asyncio.run(architecture()),
            "os": "linux",
            "config": {"Env": ["PATH=/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [digest(plain)]},
        }
    ).encode()

    def described(data: bytes, kind: str) -> dict[str, object]:
        media = f"application/vnd.docker.{kind}"
        return {"mediaType": media, "size": len(data), "digest": digest(data)}

    Registry.contents = {digest(data): data for data in (packed, config)}
    Registry.manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": described(config, "container.image.v1+json"),
            "layers": [described(packed, "image.rootfs.diff.tar.gzip")],
        }
    ).encode()
    with registry_server(engine_url) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"localhost:{server.server_port}"
        server.shutdown()
        thread.join()


class Notes:
    def __init__(self) -> None:
        self.data = b""
        self.notes: list[str] = []

    def write(self, data: bytes, *, at: int | None = None) -> None:
        self.data += data

    def checkpoint(self, standing: object, *, now: bool = False) -> None: ...

    def tell(self, event: ConnectionEvent) -> None: ...

    def preview(self, data: bytes) -> None: ...

    def note(self, text: str) -> None:
        self.notes.append(text)


class NoSources:
    def materialize(self, dest: Path) -> None: ...

    def release(self, dest: Path) -> None:
        raise AssertionError

    def tar(self, prefix: str) -> Iterator[bytes]:
        yield bytes(1024)


def run_job(
    url: str,
    image: str,
    variables: dict[str, str],
    *policy: str,
    credentials: tuple[Credentials, ...] = (),
    auth: str = "",
) -> Notes:
    output = Notes()
    payload = JobPayload(
        1, "", JobInfo(1, "j", "test"), (), (), image=ImageSpec(image), credentials=credentials
    )

    async def main() -> None:
        executor = DockerExecutor(
            payload,
            variables,
            host=Host(url),
            sources=NoSources(),
            labels={},
            settings=DockerSettings(pull_policy=policy, auth=auth),
        )
        try:
            await executor.prepare(output)
            await executor.run(Step("script", (), 60), b"echo pulled", output)
        finally:
            await executor.cleanup()

    asyncio.run(main())
    return output


def remove(url: str, image: str) -> None:
    async def main() -> None:
        async with await Engine.connect(url) as engine:
            await engine.do("DELETE", f"/images/{image}", query={"force": True})

    asyncio.run(main())


def configuration(registry: str, password: str) -> dict[str, str]:
    auth = base64.b64encode(password.encode()).decode()
    return {"DOCKER_AUTH_CONFIG": json.dumps({"auths": {registry: {"auth": auth}}})}


def test_an_image_is_pulled_with_credentials_and_found_later(
    engine_url: str, registry: str
) -> None:
    image = f"{registry}/group/image:1"
    secret = configuration(registry, "user:secret")
    output = run_job(engine_url, image, secret, "if-not-present")
    try:
        assert output.data == b"pulled\n"
        assert f"Pulling image {image}" in output.notes
        again = run_job(engine_url, image, {}, "if-not-present")
        assert f"Pulling image {image}" not in again.notes
        always = run_job(engine_url, image, secret, "always")
        assert f"Pulling image {image}" in always.notes
    finally:
        remove(engine_url, image)


@pytest.mark.parametrize("variables", [{}, configuration("localhost", "user:secret")])
def test_without_credentials_the_registry_refuses(
    engine_url: str, registry: str, variables: dict[str, str]
) -> None:
    with pytest.raises(JobError, match="cannot be pulled") as caught:
        run_job(engine_url, f"{registry}/group/image:1", variables, "always")
    assert caught.value.reason == "image_pull_failure"


def test_credentials_that_cannot_be_read(engine_url: str) -> None:
    with pytest.raises(JobError, match="DOCKER_AUTH_CONFIG cannot be used") as caught:
        run_job(engine_url, "any", {"DOCKER_AUTH_CONFIG": "secret"}, "never")
    assert "secret" not in caught.value.message


@pytest.fixture
def docker_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This machine's own Docker configuration, empty yet, and a place for its helpers."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


def helper(directory: Path, answer: str) -> None:
    """The program docker-credential-test, which notes what it is asked for and gives `answer`."""
    program = directory / "docker-credential-test"
    program.write_text(f"#!/bin/sh\ncat >{directory}/asked\necho '{answer}'\n")
    program.chmod(0o755)


ANSWER = '{"ServerURL": "x", "Username": "user", "Secret": "secret"}'


@pytest.mark.parametrize("kind", ["credHelpers", "credsStore"])
def test_credentials_of_a_helper(
    engine_url: str, registry: str, docker_directory: Path, kind: str
) -> None:
    helper(docker_directory, ANSWER)
    content = {"credHelpers": {registry: "test"}, "credsStore": "test"}
    (docker_directory / "config.json").write_text(json.dumps({kind: content[kind]}))
    image = f"{registry}/group/helped:1"
    output = run_job(engine_url, image, {}, "always")
    remove(engine_url, image)
    assert output.data == b"pulled\n"
    assert (docker_directory / "asked").read_text() == registry
    assert "secret" not in " ".join(output.notes)


def test_the_job_wins_over_this_machine_and_this_machine_over_the_payload(
    engine_url: str, registry: str, docker_directory: Path
) -> None:
    wrong = json.loads(configuration(registry, "user:wrong")["DOCKER_AUTH_CONFIG"])
    right = configuration(registry, "user:secret")
    sent = (Credentials("registry", registry, "user", "secret"),)
    image = f"{registry}/group/image:2"
    assert run_job(engine_url, image, {}, "always", credentials=sent).data == b"pulled\n"
    (docker_directory / "config.json").write_text(json.dumps(wrong))
    with pytest.raises(JobError, match="cannot be pulled"):
        run_job(engine_url, image, {}, "always", credentials=sent)
    assert run_job(engine_url, image, right, "always").data == b"pulled\n"
    auth = right["DOCKER_AUTH_CONFIG"]
    assert run_job(engine_url, image, {}, "always", auth=auth).data == b"pulled\n"
    remove(engine_url, image)


def test_the_nearest_name_wins(engine_url: str, registry: str, docker_directory: Path) -> None:
    near = f"{registry}/group"
    both = json.loads(configuration(near, "user:secret")["DOCKER_AUTH_CONFIG"])
    both["auths"] |= json.loads(configuration(registry, "user:wrong")["DOCKER_AUTH_CONFIG"])[
        "auths"
    ]
    image = f"{registry}/group/image:3"
    variables = {"DOCKER_AUTH_CONFIG": json.dumps(both)}
    output = run_job(engine_url, image, variables, "always")
    remove(engine_url, image)
    assert f"Using the credentials of the variable DOCKER_AUTH_CONFIG for {near}" in output.notes


def test_what_this_machine_does_not_give_is_said_and_passed_over(
    engine_url: str, registry: str, docker_directory: Path
) -> None:
    sent = (Credentials("registry", registry, "user", "secret"),)
    image = f"{registry}/group/image:4"
    file = docker_directory / "config.json"
    for content, sentence in (
        ("secret", "is passed over: it is not the JSON of a Docker configuration"),
        ('{"credsStore": "nowhere"}', "docker-credential-nowhere is not installed"),
        ('{"credsStore": "../x"}', "is not a program's name"),
    ):
        file.write_text(content)
        output = run_job(engine_url, image, {}, "always", credentials=sent)
        assert output.data == b"pulled\n"
        assert any("WARNING" in note and sentence in note for note in output.notes), output.notes
    remove(engine_url, image)


def test_a_pull_policy_is_the_fallback_of_the_one_before(engine_url: str, registry: str) -> None:
    image = f"{registry}/group/image:5"
    run_job(engine_url, image, configuration(registry, "user:secret"), "always")
    output = run_job(engine_url, image, {}, "always", "if-not-present")
    remove(engine_url, image)
    assert output.data == b"pulled\n"
    assert any("trying the next pull policy" in note for note in output.notes)
