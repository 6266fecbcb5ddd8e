"""Which engine is meant: the Docker CLI itself is asked, by what it dials.

Only what has been the same since Docker 20.10 is asked. Since then an empty DOCKER_HOST has come to
mean that there is none, and NO_PROXY's domains no longer match the end of an address.
"""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from tests.support.certificates import Authority, write_all
from tests.support.relay import Server

from tracekeeper.engine.errors import EngineUnreachable
from tracekeeper.engine.hosts import find_host
from tracekeeper.engine.transport import dialler
from tracekeeper.errors import UsageError

REFUSED = frozenset({"refused"})


class Listener:
    """Notes what each connection to it begins with."""

    def __init__(self, name: str, heard: set[str]) -> None:
        self._name = name
        self._heard = heard
        self.server = Server(self._listen)

    async def _listen(self, reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        first = await reader.read(1)
        self._heard.add(f"{self._name}: {'TLS' if first == bytes([22]) else 'plain'}")


class Lane:
    """A home of its own, two engines, a proxy; what a program dials there."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.heard: set[str] = set()
        self.one, self.two, self.proxy = (
            Listener(name, self.heard).server for name in ("one", "two", "proxy")
        )
        (home / ".docker").mkdir(parents=True)
        write_all(home / "all", Authority())
        (home / "ca").mkdir()
        shutil.copy(home / "all" / "ca.pem", home / "ca")

    def filled(self, text: str) -> str:
        """`text` with the addresses of this lane."""
        for name, server in (("ONE", self.one), ("TWO", self.two), ("PROXY", self.proxy)):
            text = text.replace(name, str(server.port))
        return text.replace("HOME", str(self.home))

    def environment(self, said: Mapping[str, str]) -> Mapping[str, str]:
        values = {key: self.filled(value) for key, value in said.items()}
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), **values}

    def docker(self, *arguments: str, said: Mapping[str, str]) -> int:
        """The Docker CLI's exit status."""
        done = subprocess.run(
            ["docker", *map(self.filled, arguments)],
            env=self.environment(said),
            capture_output=True,
            timeout=60,
        )
        return done.returncode

    def dialled_by_docker(self, options: Sequence[str], said: Mapping[str, str]) -> frozenset[str]:
        self.heard.clear()
        assert self.docker(*options, "version", said=said) != 0
        return frozenset(self.heard) or REFUSED

    def dialled_by_us(self, options: Sequence[str], said: Mapping[str, str]) -> frozenset[str]:
        self.heard.clear()
        given = dict(zip(options[::2], map(self.filled, options[1::2]), strict=True))
        try:
            host = find_host(
                self.environment(said),
                url=given.get("--host", ""),
                context=given.get("--context", ""),
            )
            asyncio.run(self._speak(dialler(host)))
        except (UsageError, EngineUnreachable):
            pass
        return frozenset(self.heard) or REFUSED

    async def _speak(self, dial: object) -> None:
        assert callable(dial)
        connection = await dial()
        await connection.write(b"GET /_ping HTTP/1.1\r\n\r\n")
        await connection.read()
        connection.close()


@pytest.fixture(scope="module")
def lane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lane]:
    if not shutil.which("docker"):
        pytest.skip("the Docker CLI is not installed")
    lane = Lane(tmp_path_factory.mktemp("hosts"))
    with lane.one, lane.two, lane.proxy:
        for name, endpoint in CONTEXTS.items():
            assert lane.docker("context", "create", name, "--docker", endpoint, said={}) == 0
        yield lane


FILES = "ca=HOME/all/ca.pem,cert=HOME/all/cert.pem,key=HOME/all/key.pem"
CONTEXTS = {
    "plain": "host=tcp://127.0.0.1:TWO",
    "tls": f"host=tcp://127.0.0.1:TWO,{FILES}",
    "ca": "host=tcp://127.0.0.1:TWO,ca=HOME/all/ca.pem",
    "skip": "host=tcp://127.0.0.1:TWO,skip-tls-verify=true",
    "https": "host=https://127.0.0.1:TWO,ca=HOME/all/ca.pem",
    "http": "host=http://127.0.0.1:TWO",
}
ONE = {"DOCKER_HOST": "tcp://127.0.0.1:ONE"}
ALL = {"DOCKER_CERT_PATH": "HOME/all"}
VERIFY = {"DOCKER_TLS_VERIFY": "1"}
ANYWHERE = {"DOCKER_HOST": "tcp://0.0.0.0:ONE"}
"""Not loopback in the eyes of who asks for a proxy, and yet here."""
VIA = {"HTTP_PROXY": "http://127.0.0.1:PROXY", "HTTPS_PROXY": "http://127.0.0.1:PROXY"}

CASES: list[tuple[tuple[str, ...], Mapping[str, str]]] = [
    ((), ONE),
    ((), {"DOCKER_HOST": "127.0.0.1:ONE"}),
    ((), {"DOCKER_HOST": " tcp://127.0.0.1:ONE "}),
    ((), {"DOCKER_HOST": "nonsense://127.0.0.1:ONE"}),
    ((), ONE | ALL),
    ((), ONE | ALL | VERIFY),
    ((), ONE | ALL | {"DOCKER_TLS_VERIFY": "0"}),
    ((), ONE | ALL | {"DOCKER_TLS_VERIFY": ""}),
    ((), ONE | ALL | {"DOCKER_TLS": "1"}),
    ((), ONE | VERIFY),
    ((), ONE | VERIFY | {"DOCKER_CONFIG": "HOME/all"}),
    ((), ONE | VERIFY | {"DOCKER_CERT_PATH": "HOME/ca"}),
    ((), ONE | {"DOCKER_TLS": "1"}),
    *(((), {"DOCKER_CONTEXT": name}) for name in (*CONTEXTS, "gone")),
    ((), {"DOCKER_CONTEXT": "plain"} | ALL | VERIFY),
    ((), {"DOCKER_CONTEXT": "tls"} | ONE),
    (("--context", "tls"), ONE),
    (("--context", "tls"), {"DOCKER_CONTEXT": "plain"}),
    (("--context", "default"), ONE | {"DOCKER_CONTEXT": "plain"}),
    (("--host", "tcp://127.0.0.1:ONE"), {"DOCKER_CONTEXT": "tls"}),
    (("--host", "tcp://127.0.0.1:ONE", "--context", "tls"), {}),
    ((), ONE | VIA),
    ((), ANYWHERE | VIA),
    ((), ANYWHERE | {"http_proxy": "127.0.0.1:PROXY"}),
    ((), ANYWHERE | {"HTTPS_PROXY": "http://127.0.0.1:PROXY"}),
    ((), ANYWHERE | {"HTTPS_PROXY": "", "HTTP_PROXY": "", "http_proxy": "127.0.0.1:PROXY"}),
    ((), ANYWHERE | ALL | VERIFY | VIA),
    ((), ANYWHERE | ALL | VERIFY | {"HTTP_PROXY": "http://127.0.0.1:PROXY"}),
    ((), ANYWHERE | ALL | VERIFY | {"HTTPS_PROXY": "https://127.0.0.1:PROXY"}),
    *(
        ((), ANYWHERE | VIA | {"NO_PROXY": entry})
        for entry in (
            "*",
            "0.0.0.0",
            "0.0.0.0:ONE",
            "0.0.0.0:1",
            "0.0.0.0/8",
            "0.1.2.3/8",
            "10.0.0.0/8",
            " x , 0.0.0.0",
        )
    ),
]


@pytest.mark.parametrize(("options", "said"), CASES, ids=str)
def test_we_dial_what_docker_dials(
    lane: Lane, options: Sequence[str], said: Mapping[str, str]
) -> None:
    assert lane.dialled_by_us(options, said) == lane.dialled_by_docker(options, said)


@pytest.mark.parametrize("text", ['{"currentContext": "tls"}', '{"currentContext": "gone"}'])
@pytest.mark.parametrize("said", [{}, ONE, {"DOCKER_CONTEXT": "plain"}], ids=str)
def test_the_current_context(lane: Lane, text: str, said: Mapping[str, str]) -> None:
    configuration = lane.home / ".docker" / "config.json"
    configuration.write_text(text)
    try:
        assert lane.dialled_by_us((), said) == lane.dialled_by_docker((), said)
    finally:
        configuration.unlink()


def test_tls_without_a_host_is_the_same_to_docker(lane: Lane) -> None:
    said = ALL | VERIFY
    shown = subprocess.run(
        ["docker", "context", "inspect", "default"],
        env=lane.environment(said),
        capture_output=True,
        check=True,
    )
    (context,) = json.loads(shown.stdout)
    assert find_host(lane.environment(said)).url == context["Endpoints"]["docker"]["Host"]
