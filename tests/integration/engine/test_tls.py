"""TLS over memory buffers, against servers of the standard library and of openssl."""

import asyncio
import os
import random
import select
import shutil
import socket
import ssl
import stat
import struct
import subprocess
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from msgspec.structs import replace
from tests.support.certificates import Authority, client_tls, write_all
from tests.support.relay import Server

from tracekeeper.engine.errors import ConnectionLost, EngineUnreachable, TlsFailure
from tracekeeper.engine.host import Host, Tls, TlsVersion
from tracekeeper.engine.tls import TlsConnection, tls_context
from tracekeeper.engine.transport import dialler

VERSIONS: list[TlsVersion] = ["1.2", "1.3"]
Peer = Callable[[ssl.SSLSocket], None]
LINGER = struct.pack("ii", 1, 0)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Path:
    return write_all(tmp_path_factory.mktemp("tls") / "all", authority)


@contextmanager
def server(files: Path, peer: Peer, *, mutual: bool = True, version: str = "") -> Iterator[int]:
    """A blocking TLS server of the standard library for one connection, which `peer` has."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files / "server.pem", files / "server-key.pem")
    if version:
        context.maximum_version = context.minimum_version = {
            "1.2": ssl.TLSVersion.TLSv1_2,
            "1.3": ssl.TLSVersion.TLSv1_3,
        }[version]
    if mutual:
        context.load_verify_locations(files / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(30)
    failures: list[BaseException] = []

    def serve() -> None:
        raw, _ = listener.accept()
        raw.settimeout(30)
        with raw:
            try:
                sock = context.wrap_socket(
                    raw, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=False
                )
            except OSError:
                return
            with sock:
                try:
                    sock.do_handshake()
                except OSError:
                    return
                try:
                    peer(sock)
                except BaseException as error:
                    failures.append(error)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        thread.join(30)
        listener.close()
    assert failures == []


def talk(
    port: int, tls: Tls, what: Callable[[TlsConnection], Awaitable[None]], name: str = "127.0.0.1"
) -> None:
    async def main() -> None:
        connection = await dialler(Host(f"tcp://{name}:{port}", tls=tls))()
        try:
            await what(cast("TlsConnection", connection))
        finally:
            connection.close()
            await asyncio.sleep(0)

    asyncio.run(main())


async def read_all(connection: TlsConnection) -> bytes:
    parts = []
    while data := await connection.read():
        parts.append(data)
    return b"".join(parts)


async def nothing(_: TlsConnection) -> None:
    """Shake hands only."""


def receive_all(sock: ssl.SSLSocket) -> bytes:
    parts = []
    while data := sock.recv(65536):
        parts.append(data)
    return b"".join(parts)


# ----------------------------------------------------------------------------------- both ends


@pytest.mark.parametrize("version", VERSIONS)
def test_who_has_finished_sending_still_reads(files: Path, version: TlsVersion) -> None:
    answer = random.Random(1).randbytes(3_000_000)

    def peer(sock: ssl.SSLSocket) -> None:
        assert receive_all(sock) == b"question" * 1000
        sock.sendall(answer)
        sock.unwrap()

    async def what(connection: TlsConnection) -> None:
        await connection.write(b"question" * 1000)
        await connection.write_eof()
        assert connection.usable
        assert await read_all(connection) == answer
        assert not connection.usable

    with server(files, peer, version=version) as port:
        talk(port, client_tls(files), what)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_had_come_before_we_finished_is_kept(files: Path, version: TlsVersion) -> None:
    """OpenSSL takes it amiss if there is data to be read when it says goodbye."""
    sent = threading.Event()

    def peer(sock: ssl.SSLSocket) -> None:
        sock.sendall(b"early" * 100_000)
        sent.set()
        assert receive_all(sock) == b""
        sock.sendall(b"late")
        sock.unwrap()

    async def what(connection: TlsConnection) -> None:
        first = await connection.read()
        await asyncio.to_thread(sent.wait, 30)
        await connection.write_eof()
        assert first + await read_all(connection) == b"early" * 100_000 + b"late"

    with server(files, peer, version=version) as port:
        talk(port, client_tls(files), what)


@pytest.mark.parametrize("version", VERSIONS)
def test_records_that_wait_when_we_finish(files: Path, version: TlsVersion) -> None:
    """As above, and the records are in our buffers for sure."""

    def peer(sock: ssl.SSLSocket) -> None:
        sock.sendall(b"x" * 50_000)
        assert receive_all(sock) == b""
        sock.unwrap()

    async def what(connection: TlsConnection) -> None:
        while connection._incoming.pending < 50_000:  # ciphertext is longer
            await connection._receive()
        await connection.write_eof()
        assert await read_all(connection) == b"x" * 50_000

    with server(files, peer, version=version) as port:
        talk(port, client_tls(files), what)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_other_side_finishes_first(files: Path, version: TlsVersion) -> None:
    got: list[bytes] = []

    def peer(sock: ssl.SSLSocket) -> None:
        sock.sendall(b"all")
        outgoing = sock.unwrap()
        got.append(outgoing.recv(10))

    async def what(connection: TlsConnection) -> None:
        assert await read_all(connection) == b"all"
        assert await connection.read() == b""
        await connection.write_eof()

    with server(files, peer, version=version) as port:
        talk(port, client_tls(files), what)
    assert got == [b""]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("how", ["fin", "rst", "half a record"])
def test_a_stream_that_was_cut_is_told_from_a_finished_one(
    files: Path, version: TlsVersion, how: str
) -> None:
    def peer(sock: ssl.SSLSocket) -> None:
        sock.sendall(b"begun")
        assert sock.recv(5) == b"go on"
        raw = socket.socket(fileno=os.dup(sock.fileno()))
        with raw:
            if how == "half a record":
                raw.sendall(b"\x17\x03\x03\x40\x00" + b"x" * 100)
            if how == "rst":
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)

    async def what(connection: TlsConnection) -> None:
        assert await connection.read() == b"begun"
        await connection.write(b"go on")
        with pytest.raises(ConnectionLost, match="Connection reset" if how == "rst" else "was cut"):
            await connection.read()

    with server(files, peer, version=version) as port:
        talk(port, client_tls(files), what)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_altered_on_its_way_is_not_taken(files: Path, version: TlsVersion) -> None:
    def peer(sock: ssl.SSLSocket) -> None:
        sock.sendall(b"begun")
        assert sock.recv(5) == b"go on"
        with socket.socket(fileno=os.dup(sock.fileno())) as raw:
            raw.settimeout(30)
            raw.sendall(b"\x17\x03\x03\x00\x40" + b"x" * 64)
            while raw.recv(1000):
                pass

    async def what(connection: TlsConnection) -> None:
        assert await connection.read() == b"begun"
        await connection.write(b"go on")
        with pytest.raises(ConnectionLost, match="is damaged"):
            await connection.read()

    with server(files, peer, version=version) as port:
        talk(port, client_tls(files), what)


@pytest.mark.parametrize("version", VERSIONS)
def test_much_both_ways_at_once(files: Path, version: TlsVersion) -> None:
    there, back = (random.Random(seed).randbytes(8_000_000) for seed in (1, 2))

    def peer(sock: ssl.SSLSocket) -> None:
        """One thread: it sends a little and reads a little, as the other side lets it."""
        got = bytearray()
        sock.settimeout(0.0)
        sent = 0
        while len(got) < len(there) or sent < len(back):
            idle = True
            try:
                sent += sock.send(back[sent : sent + 100_000])
                idle = sent == len(back)
            except ssl.SSLWantWriteError:
                pass
            try:
                got += sock.recv(100_000)
                idle = False
            except ssl.SSLWantReadError:
                pass
            if idle:
                select.select([sock], [], [], 0.01)
        assert bytes(got) == there
        sock.settimeout(30)
        sock.unwrap()

    async def what(connection: TlsConnection) -> None:
        sending = asyncio.create_task(connection.write(there))
        assert await read_all(connection) == back
        await sending
        await connection.write_eof()

    with server(files, peer, version=version) as port:
        talk(port, client_tls(files), what)


def test_a_read_that_is_cancelled_loses_nothing(files: Path, faults_seed: int) -> None:
    chance = random.Random(faults_seed)
    data = chance.randbytes(300_000)
    steps = chance.choices(range(1, 5000), k=200)

    async def peer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        at = 0
        for step in [*steps, len(data)]:
            writer.write(data[at : at + step])
            at += step
            await asyncio.sleep(0)
        writer.write(b"end")

    async def what(connection: TlsConnection) -> None:
        got = b""
        while not got.endswith(b"end"):
            reading = asyncio.create_task(connection.read())
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)
            reading.cancel()
            try:
                got += await reading
            except asyncio.CancelledError:
                await asyncio.sleep(0.0001)
        assert got == data + b"end"

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files / "server.pem", files / "server-key.pem")
    with Server(peer, tls=context) as far:
        talk(far.port, client_tls(files), what)


# ---------------------------------------------------------------------------------- who is who


def refused(port: int, tls: Tls, name: str = "127.0.0.1") -> TlsFailure:
    async def what(connection: TlsConnection) -> None:
        await connection.write(b"GET /_ping HTTP/1.1\r\n\r\n")
        await connection.read()

    with pytest.raises(TlsFailure) as caught:
        talk(port, tls, what, name)
    assert caught.value.hint
    return caught.value


def ignore(sock: ssl.SSLSocket) -> None:
    """Wait for the client to go."""
    with suppress(OSError):
        receive_all(sock)


@pytest.mark.parametrize(
    ("names", "days", "says"),
    [
        (("127.0.0.1",), (-5, -1), "certificate has expired"),
        (("127.0.0.1",), (1, 5), "not yet valid"),
        (("other.example.com",), (-1, 1), "IP address mismatch"),
        ((), (-1, 1), "IP address mismatch"),
    ],
)
def test_a_server_that_is_not_the_one(
    tmp_path: Path,
    files: Path,
    authority: Authority,
    names: tuple[str, ...],
    days: tuple[int, int],
    says: str,
) -> None:
    shutil.copytree(files, tmp_path / "all")
    begins, ends = (timedelta(days=count) for count in days)
    authority.sign(
        tmp_path / "all" / "server.pem",
        tmp_path / "all" / "server-key.pem",
        use="server",
        names=names,
        begins=begins,
        ends=ends,
    )
    with server(tmp_path / "all", ignore) as port:
        assert says in refused(port, client_tls(files)).message


def test_a_name_that_is_not_in_the_certificate(
    tmp_path: Path, files: Path, authority: Authority
) -> None:
    shutil.copytree(files, tmp_path / "all")
    both = (tmp_path / "all" / "server.pem", tmp_path / "all" / "server-key.pem")
    authority.sign(*both, use="server", names=("other.example.com",))
    with server(tmp_path / "all", ignore) as port:
        assert "Hostname mismatch" in refused(port, client_tls(files), "localhost").message


def test_an_authority_that_is_not_trusted(tmp_path: Path, files: Path) -> None:
    other = tmp_path / "ca.pem"
    other.write_bytes(Authority("another").pem)
    with server(files, ignore) as port:
        tls = replace(client_tls(files), ca=str(other))
        assert "the certificate of 127.0.0.1 is not accepted" in refused(port, tls).message


def test_without_verification_anybody_will_do(tmp_path: Path, files: Path) -> None:
    def peer(sock: ssl.SSLSocket) -> None:
        sock.sendall(b"hello")
        sock.unwrap()

    async def what(connection: TlsConnection) -> None:
        assert await read_all(connection) == b"hello"
        await connection.write_eof()

    tls = replace(client_tls(files), ca="", verify=False)
    with server(files, peer) as port:
        talk(port, tls, what, "localhost")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("given", ["none", "stranger", "server's"])
def test_a_client_that_is_not_let_in(
    tmp_path: Path, files: Path, authority: Authority, version: TlsVersion, given: str
) -> None:
    """With TLS 1.3 the handshake succeeds on our side; the first read meets the refusal."""
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    signer = Authority("a stranger") if given == "stranger" else authority
    signer.sign(certificate, key, use="server" if given == "server's" else "client")
    tls = replace(client_tls(files), cert=str(certificate), key=str(key))
    if given == "none":
        tls = replace(tls, cert="", key="")
    with server(files, ignore, version=version) as port:
        error = refused(port, tls)
    assert "127.0.0.1 refused the TLS connection" in error.message
    assert "check our certificate" in error.hint


def test_a_port_that_speaks_plain_http(files: Path) -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.0 400 Bad Request\r\n\r\nwhat?\n")
        await writer.drain()

    with Server(peer) as far:
        assert "does not speak TLS" in refused(far.port, client_tls(files)).message


def test_a_handshake_that_nobody_answers(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracekeeper.engine.transport.CONNECT_TIMEOUT", 0.1)

    async def peer(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    with Server(peer) as far, pytest.raises(EngineUnreachable, match="was not agreed on"):
        talk(far.port, client_tls(files), nothing)


def test_a_handshake_that_is_cut(files: Path) -> None:
    async def peer(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read(10)

    with Server(peer) as far, pytest.raises(EngineUnreachable, match="can be reached"):
        talk(far.port, client_tls(files), nothing)


# --------------------------------------------------------------------------------- to look in


RSA_EXCHANGE = "AES128-GCM-SHA256"  # no forward secrecy: a capture is read with the server's key


@contextmanager
def openssl(directory: Path, files: Path, *options: str) -> Iterator[int]:
    """``openssl s_server`` with an RSA key, which sends back each line reversed."""
    subject = ["-subj", "/CN=x", "-addext", "subjectAltName=IP:127.0.0.1", "-nodes"]
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", *subject]
    pair = ["-out", str(directory / "rsa.pem"), "-keyout", str(directory / "rsa-key.pem")]
    subprocess.run([*request, *pair], check=True, capture_output=True)
    shown = ["-cert", str(directory / "rsa.pem"), "-key", str(directory / "rsa-key.pem")]
    mutual = ["-CAfile", str(files / "ca.pem"), "-Verify", "1"]
    process = subprocess.Popen(
        ["openssl", "s_server", "-accept", "127.0.0.1:0", "-rev", *shown, *mutual, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if line.startswith("ACCEPT"):
                yield int(line.rpartition(":")[2])
                return
        raise AssertionError("openssl does not serve")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize(
    ("asked", "agreed"),
    [
        (Tls(), "TLSv1.3"),
        (Tls(max_version="1.3"), "TLSv1.3"),
        (Tls(max_version="1.2"), "TLSv1.2"),
        (Tls(max_version="1.2", ciphers=RSA_EXCHANGE), "TLSv1.2"),
    ],
)
def test_openssl_agrees_on_what_is_asked(
    tmp_path: Path, files: Path, asked: Tls, agreed: str
) -> None:
    async def what(connection: TlsConnection) -> None:
        assert connection.tls.version() == agreed
        cipher = connection.tls.cipher()
        assert cipher is not None
        assert (cipher[0] == RSA_EXCHANGE) == bool(asked.ciphers)
        await connection.write(b"hello\n")
        assert await connection.read() == b"olleh\n"

    with openssl(tmp_path, files) as port:
        tls = client_tls(files)
        ca = str(tmp_path / "rsa.pem")
        talk(port, replace(asked, ca=ca, cert=tls.cert, key=tls.key), what)


def test_a_new_key_log_is_for_its_owner_alone(tmp_path: Path) -> None:
    new, known = tmp_path / "new", tmp_path / "known"
    known.write_bytes(b"# kept\n")
    known.chmod(0o640)
    for each in (new, known):
        assert tls_context(Tls(keylog=str(each))).keylog_filename == str(each)
    assert [stat.S_IMODE(each.stat().st_mode) for each in (new, known)] == [0o600, 0o640]
    assert known.read_bytes().startswith(b"# kept\n")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_key_log_has_the_keys_that_openssl_has(
    tmp_path: Path, files: Path, version: TlsVersion
) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"

    async def what(connection: TlsConnection) -> None:
        await connection.write(b"hello\n")
        assert await connection.read() == b"olleh\n"

    tls = replace(
        client_tls(files),
        ca=str(tmp_path / "rsa.pem"),
        max_version=version,
        keylog=str(ours),
    )
    with openssl(tmp_path, files, "-keylogfile", str(theirs)) as port:
        talk(port, tls, what)
    found, expected = (
        {line for line in path.read_text().splitlines() if not line.startswith("#")}
        for path in (ours, theirs)
    )
    assert found == expected
    label = "CLIENT_RANDOM" if version == "1.2" else "CLIENT_TRAFFIC_SECRET_0"
    assert any(line.startswith(label) for line in found)


# ------------------------------------------------------------------------- what cannot be used


def test_files_that_cannot_be_used(tmp_path: Path, files: Path) -> None:
    good = client_tls(files)
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nonsense")
    locked = tmp_path / "locked.pem"
    options = ["-aes256", "-passout", "pass:x", "-out", str(locked)]
    subprocess.run(["openssl", "ec", "-in", good.key, *options], check=True, capture_output=True)
    for tls, says in (
        (replace(good, ca="/none"), "/none cannot be read: No such file"),
        (replace(good, ca=str(nonsense)), "nonsense.pem is not a certificate"),
        (replace(good, cert="/none"), "/none cannot be read"),
        (replace(good, cert=str(nonsense)), "nonsense.pem is not a certificate"),
        (replace(good, key=str(files / "server-key.pem")), "not with its own key"),
        (replace(good, key=str(locked)), "protected by a password"),
        (replace(good, ciphers="nonsense"), "'nonsense' names no cipher suite"),
        (replace(good, keylog="/none/keys"), "/none/keys cannot be written"),
    ):
        with pytest.raises(TlsFailure, match=says):
            tls_context(tls)
