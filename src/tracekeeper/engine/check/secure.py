"""TLS with an engine, taken apart: what is spoken, whose certificate, and is ours accepted.

One handshake that accepts every certificate shows what there is; others then tell which part of it
would be refused. Who refuses a certificate says so by an alert (RFC 8446 §6.2), so a connection
that merely ends was cut on the way. In TLS 1.3 the refusal of ours meets our first read.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from msgspec.structs import replace

from tracekeeper.engine.check.certificates import (
    client_findings,
    server_findings,
    wrong_authority,
)
from tracekeeper.engine.check.finding import Finding, error, ok, silent, warning
from tracekeeper.engine.check.ping import is_silence
from tracekeeper.engine.check.reach import below_tls
from tracekeeper.engine.connection import CONNECT_TIMEOUT, Connection
from tracekeeper.engine.errors import ConnectionLost, EngineUnreachable, TlsFailure
from tracekeeper.engine.host import Host, Tls, shown
from tracekeeper.engine.tls import TlsConnection, over_tls, tls_context
from tracekeeper.engine.transport import dialler
from tracekeeper.engine.x509 import Certificate, read_certificate

NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which `ssl.VerifyFlags` does not name."""
WRONG_PURPOSE = 26
"""X509_V_ERR_INVALID_PURPOSE, which `server_findings` tells by itself."""

_PING = b"GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n"
_CUT_HINT = (
    "look at firewalls and proxies on the way: who refuses a certificate says so before it hangs up"
)
_CERTIFICATE_ALERTS = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED")


async def secure(host: Host, tls: Tls) -> AsyncIterator[Finding]:
    """Findings on TLS with `host`."""
    now = datetime.now(UTC)
    try:
        connection = await _handshake(host, replace(tls, verify=False))
    except (TlsFailure, ConnectionLost) as failure:
        if "_ALERT_" not in _reason(failure) and await _speaks_http(host):
            yield _plain_port(host)
            return
        for finding in _refused(host, tls, failure, now):
            yield finding
        return
    try:
        yield _spoken(connection.tls)
        for finding in await _server(host, tls, connection.tls, now):
            yield finding
        for finding in await _client(host, tls, connection, now):
            yield finding
    finally:
        connection.close()


async def speaks_tls(host: Host) -> bool:
    """Whether TLS is spoken at a port where it is not expected."""
    try:
        (await _handshake(host, Tls(verify=False))).close()
    except TlsFailure as failure:
        return "_ALERT_" in _reason(failure)
    except (ConnectionLost, EngineUnreachable):
        return False
    return True


async def _handshake(host: Host, tls: Tls, context: ssl.SSLContext | None = None) -> TlsConnection:
    dial = dialler(below_tls(host))
    name = urlsplit(host.url).hostname or ""
    return await over_tls(await dial(), context or tls_context(tls), name, timeout=CONNECT_TIMEOUT)


def _spoken(session: ssl.SSLObject) -> Finding:
    cipher = session.cipher()
    assert cipher is not None, "the handshake is done"
    return ok("tls", f"{session.version()} is spoken, with {cipher[0]}")


async def _server(host: Host, tls: Tls, session: ssl.SSLObject, now: datetime) -> list[Finding]:
    """What is to be said of the engine's certificate."""
    der = session.getpeercert(binary_form=True)
    assert der is not None, "servers have certificates"
    try:
        certificate = read_certificate(der)
    except ValueError as failure:
        hint = "issue another"
        return [warning("server", f"the engine's certificate cannot be read: {failure}", hint)]
    name = urlsplit(host.url).hostname or ""
    findings = list(server_findings(certificate, name, now))
    if not tls.verify:  # it is accepted as it is
        return [replace(each, level="note") if each.level == "error" else each for each in findings]
    return [*findings, *await _authority(host, tls, certificate)]


async def _authority(host: Host, tls: Tls, certificate: Certificate) -> list[Finding]:
    """Whether who we trust has issued the engine's certificate, whatever its dates and names."""
    context = tls_context(tls)
    context.check_hostname = False
    context.verify_flags |= NO_CHECK_TIME
    try:
        (await _handshake(host, tls, context)).close()
    except TlsFailure as failure:
        cause = failure.__cause__
        if not isinstance(cause, ssl.SSLCertVerificationError):
            return []  # our own certificate is refused, which is told elsewhere
        if cause.verify_code == WRONG_PURPOSE:
            return []
        return [wrong_authority(certificate, _trusted(tls))]
    except ConnectionLost as failure:
        return [_cut(host, failure)]
    return [ok("server_authority", f"the engine's certificate is trusted ('{certificate.issuer}')")]


async def _client(host: Host, tls: Tls, connection: TlsConnection, now: datetime) -> list[Finding]:
    """Whether our certificate is accepted, and whether it is asked for at all."""
    try:
        if not await _answer(connection):
            return [
                _cut(host, ConnectionLost("the engine closed the connection without an answer"))
            ]
    except (TlsFailure, ConnectionLost) as failure:
        return _refused(host, tls, failure, now)
    findings = [] if not tls.cert else list(client_findings(_own(tls), (), now))
    if await _accepts_anybody(host, tls):
        sentence = "the engine asks for no certificate: whoever reaches the port owns the machine"
        return [*findings, warning("client", sentence, "start dockerd with --tlsverify")]
    return [*findings, ok("client", "our certificate is accepted")]


async def _accepts_anybody(host: Host, tls: Tls) -> bool:
    if not tls.cert:
        return True
    try:
        connection = await _handshake(host, Tls(verify=False))
        try:
            return bool(await _answer(connection))
        finally:
            connection.close()
    except (TlsFailure, ConnectionLost):
        return False


def _refused(
    host: Host, tls: Tls, failure: TlsFailure | ConnectionLost, now: datetime
) -> list[Finding]:
    """Why no TLS connection can be used, though nothing of the engine's was checked."""
    if isinstance(failure, ConnectionLost):
        return [_cut(host, failure)]
    alert = _reason(failure)
    if "_ALERT_" not in alert:
        return [error("tls", failure.message, "check that this is the engine's port")]
    if not tls.cert and "HANDSHAKE_FAILURE" in alert:  # TLS 1.2 has no other word for it
        return [_no_certificate("most likely demands a certificate")]
    if not any(word in alert for word in _CERTIFICATE_ALERTS):
        hint = "check tls_ciphers and tls_max_version, and the versions that the engine allows"
        return [error("tls", failure.message, hint)]
    if not tls.cert:
        return [_no_certificate("demands a certificate")]
    why = [each for each in client_findings(_own(tls), _trusted(tls), now) if each.level != "ok"]
    return [error("client", f"our certificate is refused: {failure.message}", failure.hint), *why]


def _no_certificate(what: str) -> Finding:
    hint = "give cert.pem and key.pem (DOCKER_CERT_PATH, tls_cert_path, a docker context)"
    return error("client", f"the engine {what}, and we have none", hint)


async def _answer(connection: Connection) -> bytes:
    """The beginning of the answer to a first request. Raises TlsFailure, ConnectionLost."""
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            await connection.write(_PING)
            return await connection.read()
    except TimeoutError:
        raise ConnectionLost(f"nothing answers within {CONNECT_TIMEOUT:.0f} s") from None


async def _speaks_http(host: Host) -> bool:
    """Whether plain HTTP is spoken at a port where TLS is expected."""
    try:
        connection = await dialler(below_tls(host))()
        try:
            return (await _answer(connection)).startswith(b"HTTP/")
        finally:
            connection.close()
    except (ConnectionLost, EngineUnreachable):
        return False


def _plain_port(host: Host) -> Finding:
    return error(
        "plain_port",
        f"{host.url} speaks plain HTTP, not TLS",
        "dial the engine's TLS port (2376), or leave TLS out if this port is meant",
    )


def _cut(host: Host, failure: ConnectionLost) -> Finding:
    if is_silence(failure):
        return silent(shown(host.url), CONNECT_TIMEOUT)
    return error("cut", failure.message, _CUT_HINT)


def _own(tls: Tls) -> Certificate:
    return _certificates(tls.cert)[0]


def _trusted(tls: Tls) -> Sequence[Certificate]:
    return _certificates(tls.ca) if tls.ca else ()


def _certificates(path: str) -> list[Certificate]:
    """The certificates of a PEM file, which has been loaded before."""
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    parts = Path(path).read_text("utf-8", "replace").split(begin)[1:]
    texts = (f"{begin}{part.partition(end)[0]}{end}" for part in parts)
    return [read_certificate(ssl.PEM_cert_to_DER_cert(text)) for text in texts]


def _reason(failure: Exception) -> str:
    """OpenSSL's name of what went wrong."""
    return str(getattr(failure.__cause__, "reason", "") or "")
