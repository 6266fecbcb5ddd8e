"""Each finding of `engine check`, provoked: by certificates that should not be accepted, by
stand-ins for engines of other kinds, by real engines, and by a firewall that forgets."""

import asyncio
import json
import os
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support.certificates import DAY, Authority, client_tls, write_all

from tracekeeper.engine.check.checks import check
from tracekeeper.engine.check.finding import Finding
from tracekeeper.engine.check.legs import PINGS
from tracekeeper.engine.host import Host, Tls
from tracekeeper.engine.http import Timeouts
from tracekeeper.errors import UsageError
from tracekeeper.net.lab import Lab
from tracekeeper.sockets.options import Keepalive

VERSION = {
    "Version": "27.0",
    "ApiVersion": "1.46",
    "MinAPIVersion": "1.24",
    "Os": "linux",
    "Arch": "amd64",
}
CHECK = "tracekeeper.engine.check"
Found = dict[str, list[Finding]]


def now(shift: float = 0.0) -> str:
    return (datetime.now(UTC) + timedelta(seconds=shift)).isoformat()


class StandIn:
    """Answers as an engine does. What it says can be changed."""

    def __init__(self) -> None:
        self.version: Mapping[str, str] = VERSION
        self.info: Mapping[str, Any] = {"LiveRestoreEnabled": True, "LoggingDriver": "json-file"}
        self.clock = 0.0

    def serve(self, sock: socket.socket) -> None:
        with sock.makefile("rb") as reader:
            while words := reader.readline().split():
                if not words[-1].startswith(b"HTTP/"):
                    sock.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
                    return
                while reader.readline().strip():
                    pass
                sock.sendall(self._answer(words[1].decode()))

    def _answer(self, path: str) -> bytes:
        info = {"SystemTime": now(self.clock), **self.info}
        body = {"/version": self.version}.get(re.sub(r"^/v1\.\d+", "", path), info)
        data = json.dumps(body).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(data), data)


Serve = Callable[[socket.socket], None]


@contextmanager
def listening(
    serve: Serve, context: ssl.SSLContext | None = None, *, keepalive: bool = False
) -> Iterator[int]:
    """The port of a server on 127.0.0.1 alone, which says goodbye as Go's does."""

    def handle(sock: socket.socket) -> None:
        with sock, suppress(OSError):
            if keepalive:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if context is None:
                return serve(sock)
            try:
                with context.wrap_socket(sock.dup(), server_side=True) as secured:
                    serve(secured)
            except ssl.SSLError:  # let the alert arrive before the connection is reset
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(4096):
                    pass

    def accept() -> None:
        while True:
            sock, _ = listener.accept()
            if stopped.is_set():
                return sock.close()
            threads.append(threading.Thread(target=handle, args=(sock,)))
            threads[-1].start()

    threads: list[threading.Thread] = []
    stopped = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield listener.getsockname()[1]
        finally:
            stopped.set()
            socket.create_connection(listener.getsockname()).close()
            for thread in (acceptor, *threads):
                thread.join()


async def look(host: Host, *, idle: float = 0.0) -> Found:
    found: Found = {}
    async for finding in check(host, idle=idle):
        found.setdefault(finding.code, []).append(finding)
    return found


def served(
    serve: Serve, tls: Tls | None, context: ssl.SSLContext | None = None, *, idle: float = 0.0
) -> Found:
    with listening(serve, context) as port:
        return asyncio.run(look(Host(f"tcp://127.0.0.1:{port}", tls=tls), idle=idle))


def errors(found: Found) -> list[str]:
    return [each.code for several in found.values() for each in several if each.level == "error"]


# ------------------------------------------------------------------------------------ certificates


class Ends:
    """Certificates for both ends, which tests replace by worse ones."""

    def __init__(self, directory: Path) -> None:
        self.authority = Authority("our authority")
        self.directory = write_all(directory, self.authority)
        self.demands = True

    def server(self, authority: Authority | None = None, **changes: Any) -> None:
        self._sign("server", authority, {"use": "server", "names": ("127.0.0.1",), **changes})

    def client(self, authority: Authority | None = None, **changes: Any) -> None:
        self._sign("client", authority, {"use": "client", **changes})

    def _sign(self, which: str, authority: Authority | None, fields: dict[str, Any]) -> None:
        names = {"server": ("server", "server-key"), "client": ("cert", "key")}[which]
        paths = (self.directory / f"{name}.pem" for name in names)
        (authority or self.authority).sign(*paths, **fields)

    @property
    def tls(self) -> Tls:
        return client_tls(self.directory)

    @property
    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        path = self.directory
        context.load_cert_chain(path / "server.pem", path / "server-key.pem")
        if self.demands:
            context.load_verify_locations(path / "ca.pem")
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def look(self, *, tls: Tls | None = None, version: str = "") -> Found:
        context = self.context
        if version == "1.2":
            context.maximum_version = ssl.TLSVersion.TLSv1_2

        return served(StandIn().serve, tls or self.tls, context)


@pytest.fixture
def ends(tmp_path: Path) -> Ends:
    return Ends(tmp_path / "certificates")


def test_both_ends_as_they_should_be(ends: Ends) -> None:
    ends.server(ends=100 * DAY)
    ends.client(ends=100 * DAY)
    found = ends.look()
    assert errors(found) == []
    assert {each.level for several in found.values() for each in several} <= {"ok", "note"}
    assert found["tls"][0].sentence.startswith("TLSv1.3 is spoken")
    assert found["client"][0].sentence == "our certificate is accepted"
    assert "('our authority')" in found["server_authority"][0].sentence


def test_a_certificate_that_ends_soon(ends: Ends) -> None:
    ends.server(ends=10 * DAY + DAY / 2)
    ends.client(ends=2 * DAY + DAY / 2)
    found = ends.look()
    assert errors(found) == []
    for code, days in (("server_dates", 10), ("client_dates", 2)):
        assert found[code][0].level == "warning"
        assert f"valid for {days} more days" in found[code][0].sentence


@pytest.mark.parametrize(
    ("changes", "code", "sentence"),
    [
        ({"begins": -2 * DAY, "ends": -DAY}, "server_dates", "certificate expired on"),
        ({"begins": DAY, "ends": 2 * DAY}, "server_dates", "is not valid before"),
        ({"names": ("a.example", "10.0.0.1")}, "server_name", "but for a.example, 10.0.0.1"),
        ({"names": ()}, "server_name", "it has no subjectAltName"),
        ({"use": "client"}, "server_purpose", "lacks serverAuth"),
        ({"authority": Authority("another")}, "server_authority", "its issuer is 'another'"),
    ],
)
def test_what_is_wrong_with_the_engines_certificate(
    ends: Ends, changes: dict[str, Any], code: str, sentence: str
) -> None:
    ends.server(**changes)
    found = ends.look()
    assert errors(found) == [code]
    assert sentence in found[code][0].sentence
    assert "engine" not in found, "what cannot work is not tried"


def test_everything_that_is_wrong_is_said(ends: Ends) -> None:
    """OpenSSL stops at the first thing."""
    ends.server(Authority(), begins=-2 * DAY, ends=-DAY, names=("a.example",), use="client")
    wrong = {"server_dates", "server_name", "server_purpose", "server_authority"}
    assert set(errors(ends.look())) == wrong


def test_a_certificate_that_is_not_checked(ends: Ends) -> None:
    ends.server(Authority(), begins=-2 * DAY, ends=-DAY, names=())
    found = ends.look(tls=msgspec.structs.replace(ends.tls, verify=False))
    assert errors(found) == []
    assert found["server_dates"][0].level == "note"
    assert "is not checked" in found["caution"][0].sentence
    assert "api" in found


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize(
    ("changes", "code", "sentence"),
    [
        ({"use": "server"}, "client_purpose", "lacks clientAuth"),
        ({"begins": -2 * DAY, "ends": -DAY}, "client_dates", "our certificate expired on"),
        ({"authority": Authority("another")}, "client_authority", "issued by 'another'"),
    ],
)
def test_what_is_wrong_with_ours(
    ends: Ends, changes: dict[str, Any], code: str, sentence: str, version: str
) -> None:
    ends.client(**changes)
    found = ends.look(version=version)
    assert errors(found)[0] == "client"
    assert "our certificate is refused: 127.0.0.1 refused" in found["client"][0].sentence
    assert "alert" not in found["client"][0].sentence  # OpenSSL says "sslv3 alert", whatever it was
    assert sentence in found[code][0].sentence
    assert "cut" not in found


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_no_certificate_of_ours(ends: Ends, version: str) -> None:
    found = ends.look(tls=Tls(ca=ends.tls.ca), version=version)
    assert errors(found) == ["client"]
    assert "demands a certificate, and we have none" in found["client"][0].sentence


@pytest.mark.parametrize("has_one", [True, False])
def test_an_engine_that_asks_for_none(ends: Ends, has_one: bool) -> None:
    ends.demands = False
    found = ends.look(tls=None if has_one else Tls(ca=ends.tls.ca))
    assert errors(found) == []
    assert found["client"][0].level == "warning"
    assert "whoever reaches the port owns the machine" in found["client"][0].sentence


def test_no_version_in_common(ends: Ends) -> None:
    context = ends.context
    context.minimum_version = ssl.TLSVersion.TLSv1_3

    tls = msgspec.structs.replace(ends.tls, max_version="1.2")
    found = served(StandIn().serve, tls, context)
    assert errors(found) == ["tls"]
    assert "protocol version" in found["tls"][0].sentence


# ------------------------------------------------------------------------------- the wrong service


def test_plain_http_where_tls_is_meant(ends: Ends) -> None:
    found = served(StandIn().serve, ends.tls)
    assert errors(found) == ["plain_port"]


def test_tls_where_plain_http_is_meant(ends: Ends) -> None:
    found = served(StandIn().serve, None, ends.context)
    assert errors(found) == ["tls_port"]


def hang_up(sock: socket.socket) -> None:
    sock.recv(1 << 16)


def ask_for_a_name(sock: socket.socket) -> None:
    sock.sendall(b"220 mail.example ready\r\n")
    sock.recv(1)


def test_a_line_that_is_cut(ends: Ends) -> None:
    """It is not taken for the refusal of a certificate."""
    found = served(hang_up, ends.tls)
    assert errors(found) == ["cut"]
    assert "in the middle of the TLS handshake" in found["cut"][0].sentence
    assert errors(served(hang_up, None)) == ["engine"]


def say_nothing(sock: socket.socket) -> None:
    while sock.recv(1 << 16):
        pass


@pytest.mark.parametrize("secured", [True, False])
def test_somebody_who_says_nothing(
    ends: Ends, monkeypatch: pytest.MonkeyPatch, secured: bool
) -> None:
    monkeypatch.setattr(f"{CHECK}.secure.CONNECT_TIMEOUT", 0.3)
    monkeypatch.setattr(f"{CHECK}.checks.TIMEOUTS", Timeouts(answer=0.3, silence=0.3))
    found = served(say_nothing, ends.tls if secured else None)
    assert errors(found) == ["silent"]
    assert "takes connections and says nothing" in found["silent"][0].sentence


def test_who_agrees_on_tls_and_says_nothing(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{CHECK}.secure.CONNECT_TIMEOUT", 0.5)
    found = served(say_nothing, ends.tls, ends.context)
    assert errors(found) == ["silent"]


def test_what_begins_is_told(ends: Ends) -> None:
    told: list[str] = []

    async def all_findings(port: int) -> None:
        async for _ in check(Host(f"tcp://127.0.0.1:{port}"), idle=0.1, begins=told.append):
            pass

    with listening(StandIn().serve) as port:
        asyncio.run(all_findings(port))
    assert told == [
        "connecting",
        "agreeing on TLS",
        "waiting for the engine's answers",
        "two connections stay quiet for 0.1 s",
    ]


def test_something_else_at_the_port(ends: Ends) -> None:
    found = served(ask_for_a_name, ends.tls)
    assert errors(found) == ["tls"]
    assert "does not speak TLS" in found["tls"][0].sentence
    assert "no Docker Engine" in served(ask_for_a_name, None)["engine"][0].sentence


# ---------------------------------------------------------------------------------- reaching it


def test_a_name_with_an_address_that_does_not_answer() -> None:
    addresses = {info[4][0] for info in socket.getaddrinfo("localhost", 1, type=socket.SOCK_STREAM)}
    with listening(StandIn().serve) as port:
        found = asyncio.run(look(Host(f"tcp://localhost:{port}")))
    assert errors(found) == []
    levels = sorted(each.level for each in found["reach"])
    assert levels == sorted(["ok", *["warning"] * (len(addresses) - 1)])


def test_nobody_there(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    for url, code, sentence in (
        (f"tcp://127.0.0.1:{port}", "reach", "Connection refused"),
        ("tcp://host.invalid", "dns", "host.invalid has no address"),
        (f"unix://{tmp_path}/none", "reach", "No such file or directory"),
    ):
        found = asyncio.run(look(Host(url)))
        assert errors(found) == [code]
        assert sentence in found[code][0].sentence
        assert found[code][0].hint
    through = asyncio.run(look(Host("tcp://engine.example", proxy=f"http://127.0.0.1:{port}")))
    assert "the proxy 127.0.0.1" in through["reach"][0].sentence
    with pytest.raises(UsageError, match="no address of a Docker Engine"):
        asyncio.run(look(Host("ftp://engine")))


@pytest.mark.root
def test_nobody_answers(lab: Lab) -> None:
    """A firewall that drops tells nothing; that is what is said."""
    lab.cut()
    with lab.inside():
        found = asyncio.run(look(lab.host))
    assert errors(found) == ["reach"]
    assert "10.77.2.2 port 2376 does not answer within 10 s" in found["reach"][0].sentence


# -------------------------------------------------------------------------------- what it says


def says(change: Callable[[StandIn], None]) -> Found:
    stand_in = StandIn()
    change(stand_in)
    return served(stand_in.serve, None)


@pytest.mark.parametrize(
    ("version", "sentence"),
    [
        ({"ApiVersion": "1.40"}, "too old"),
        ({"ApiVersion": "1.60", "MinAPIVersion": "1.53"}, "too new"),
        ({"ApiVersion": "one"}, "no version of its API"),
    ],
)
def test_versions_that_cannot_be_spoken(version: dict[str, str], sentence: str) -> None:
    found = says(lambda engine: setattr(engine, "version", {**VERSION, **version}))
    assert errors(found) == ["engine"]
    assert sentence in found["engine"][0].sentence


def test_an_engine_that_demands_a_new_version() -> None:
    """As Engine 29 does."""
    new = {**VERSION, "ApiVersion": "1.52", "MinAPIVersion": "1.44"}
    found = says(lambda engine: setattr(engine, "version", new))
    assert found["api"][0].sentence.startswith("API 1.52 is spoken: the engine knows 1.44 to 1.52")


def test_clocks() -> None:
    found = says(lambda engine: setattr(engine, "clock", 90.0))
    assert found["clock"][0].level == "warning"
    assert "s ahead of ours" in found["clock"][0].sentence
    assert says(lambda engine: None)["clock"][0].level == "ok"


def test_no_log_that_can_be_followed() -> None:
    found = says(lambda engine: setattr(engine, "info", {"Plugins": {"Log": ["none"]}}))
    assert errors(found) == ["log_driver"]


# ---------------------------------------------------------------------------------- both legs


def test_keepalives_of_both_ends() -> None:
    with listening(StandIn().serve, keepalive=True) as port:
        found = asyncio.run(look(Host(f"tcp://127.0.0.1:{port}")))
    assert found["keepalive"][0].level == "ok"
    assert "asks after 15 s of silence" in found["keepalive"][0].sentence
    assert "the engine's end sends keepalives too" in found["engine_keepalive"][0].sentence
    found = says(lambda engine: None)
    assert found["engine_keepalive"][0].level == "note"
    assert "it does not notice when we are gone" in found["engine_keepalive"][0].sentence


def test_no_keepalives_of_ours() -> None:
    with listening(StandIn().serve) as port:
        found = asyncio.run(look(Host(f"tcp://127.0.0.1:{port}", keepalive=None)))
    assert found["keepalive"][0].level == "warning"
    assert "our end sends no keepalives" in found["keepalive"][0].sentence


@pytest.mark.root
def test_the_other_end_in_another_network(lab: Lab) -> None:
    """A real engine on a host of its own: its socket is found there, keepalive and all."""
    with lab.inside():
        found = asyncio.run(look(lab.host))
    assert errors(found) == []
    assert "the engine's end sends keepalives too" in found["engine_keepalive"][0].sentence
    assert found["client"][0].sentence == "our certificate is accepted"


@pytest.mark.docker
def test_the_local_engine(engine_url: str) -> None:
    found = asyncio.run(look(Host(engine_url), idle=0.1))
    assert errors(found) == []
    assert "no network lies between" in found["keepalive"][0].sentence
    assert found["idle"][0].level == "ok"


# ---------------------------------------------------------------------------------- a quiet path


def seconds(idle: int) -> Keepalive:
    return Keepalive(idle=idle, interval=1, count=3, user_timeout=5)


@pytest.mark.root
def test_a_path_that_forgets_and_keepalives_that_prevent_it(lab: Lab) -> None:
    lab.set_variant(3, "drop")
    host = msgspec.structs.replace(lab.host, keepalive=seconds(1))
    with lab.inside():
        found = asyncio.run(look(host, idle=6.0))
    assert found["idle"][0].level == "ok"
    assert "the path forgets, and our keepalives prevent it" in found["idle"][0].sentence
    assert "its packets vanish" in found["idle"][0].sentence


@pytest.mark.root
def test_a_path_that_forgets_too_soon_for_our_keepalives(lab: Lab) -> None:
    lab.set_variant(2, "reject")
    with lab.inside():
        found = asyncio.run(look(lab.host, idle=4.0))
    assert errors(found) == ["idle"]
    assert "it was reset" in found["idle"][0].sentence
    assert "idle budget" in found["idle"][0].hint


def test_an_engine_that_closes_quiet_connections() -> None:
    def serve(sock: socket.socket) -> None:
        sock.settimeout(0.5)
        StandIn().serve(sock)

    found = served(serve, None, idle=3.0)
    assert errors(found) == ["idle"]
    assert "the other side closed it" in found["idle"][0].sentence


class Leaving(StandIn):
    """Is gone for good once it has been asked for so many signs of life."""

    def __init__(self, pings: int) -> None:
        super().__init__()
        self._left = pings

    def serve(self, sock: socket.socket) -> None:
        if self._left > 0:
            sock.settimeout(0.5)
            super().serve(sock)

    def _answer(self, path: str) -> bytes:
        self._left -= path.endswith("/_ping")
        return super()._answer(path)


def test_an_engine_that_went_away_meanwhile() -> None:
    found = served(Leaving(PINGS + 3).serve, None, idle=3.0)
    assert errors(found) == ["idle", "idle"]
    assert "does not answer on a fresh connection either" in found["idle"][1].sentence


# ----------------------------------------------------------------------------------- certificates
# of a client, as a real engine refuses them


@pytest.mark.root
def test_a_real_engine_refuses(lab: Lab, tmp_path: Path) -> None:
    """Go's TLS has other alerts than OpenSSL."""
    Authority("another").sign(tmp_path / "cert.pem", tmp_path / "key.pem", use="client")
    assert lab.host.tls is not None
    ours = {"cert": str(tmp_path / "cert.pem"), "key": str(tmp_path / "key.pem")}
    with lab.inside():
        for change in (ours, {"cert": "", "key": ""}):
            tls = msgspec.structs.replace(lab.host.tls, **change)
            found = asyncio.run(look(msgspec.structs.replace(lab.host, tls=tls)))
            assert errors(found)[0] == "client"
            assert "cut" not in found
        assert os.path.exists(lab.host.tls.ca)
        plain = asyncio.run(look(msgspec.structs.replace(lab.host, tls=None)))
        assert errors(plain) == ["tls_port"]
