"""Images for tests that need a Docker Engine: made here from busybox, removed at the end.

No registry is reached. The engine is spoken to past our own client, so that these fixtures do not
depend on what they help to test.
"""

import io
import json
import os
import subprocess
import tarfile
import uuid
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tracekeeper.net.lab.daemon import UnixConnection

BUSYBOX = Path("/bin/busybox")


@pytest.fixture(scope="session")
def engine_url() -> str:
    """The Docker Engine that tests use."""
    return os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"


@pytest.fixture(scope="session")
def engine_api(engine_url: str) -> Callable[..., Any]:
    """`engine_api(method, path, body=b"")`: a request to the engine, past our own client."""

    def call(method: str, path: str, body: bytes = b"") -> Any:
        connection = UnixConnection(Path(engine_url.removeprefix("unix://")))
        try:
            headers = {"Content-Type": "application/json" if body[:1] == b"{" else "x/x"}
            connection.request(method, f"/v1.41{path}", body, headers)
            response = connection.getresponse()
            data = response.read()
        finally:
            connection.close()
        assert response.status < 400, data
        lines = data.splitlines()
        return json.loads(lines[-1]) if lines and lines[-1][:1] in b"{[" else None

    return call


@pytest.fixture(scope="session")
def make_image(engine_api: Callable[..., Any]) -> Iterator[Callable[..., str]]:
    """`make_image(User="worker", ...)`: the name of a new image, which is gone after the session.

    Keywords are fields of the image's configuration; `architecture` and `content` (a tar) may
    replace the engine's own and busybox.
    """
    names: list[str] = []

    def make(*, architecture: str = "", content: bytes | None = None, **config: object) -> str:
        name = f"tracekeeper-test-{uuid.uuid4().hex[:12]}:latest"
        layer = _busybox() if content is None else content
        image = {
            "architecture": architecture or engine_api("GET", "/version")["Arch"],
            "os": "linux",
            "config": {"Env": ["PATH=/bin"], **config},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha256(layer).hexdigest()}"]},
        }
        manifest = [{"Config": "image.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
        files = {"manifest.json": manifest, "image.json": image}
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            _add(tar, "layer.tar", layer, 0o644)
            for path, value in files.items():
                _add(tar, path, json.dumps(value).encode(), 0o644)
        answer = engine_api("POST", "/images/load", archive.getvalue())
        assert "error" not in answer, answer
        names.append(name)
        return name

    yield make
    for name in names:
        engine_api("DELETE", f"/images/{name}?force=true")


@pytest.fixture(scope="session")
def busybox(make_image: Callable[..., str]) -> str:
    """An image with busybox, its applets, and the users root and worker (1000)."""
    return make_image()


def _busybox() -> bytes:
    applets = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        _add(tar, "bin/busybox", BUSYBOX.read_bytes(), 0o755)
        _add(tar, "etc/passwd", b"root:x:0:0::/:/bin/sh\nworker:x:1000:1000::/tmp:/bin/sh\n", 0o644)
        directory = tarfile.TarInfo("tmp")
        directory.type, directory.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(directory)
        for applet in set(applets.stdout.split()) - {"busybox"}:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return archive.getvalue()


def _add(tar: tarfile.TarFile, name: str, data: bytes, mode: int) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), mode
    tar.addfile(info, io.BytesIO(data))
