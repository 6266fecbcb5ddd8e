"""TLS over any connection, with both ends of the stream told apart (RFC 8446 §6.1).

The `ssl` module works on two buffers in memory here; the bytes travel over a `Connection` of which
this module knows nothing else. So the keepalive is on before the first byte of TLS, TLS works
inside a proxy's tunnel, our side can finish sending while it still reads, and a stream that was
cut is told from one that was finished: only the latter ends with the other side's goodbye.
"""

import asyncio
import contextlib
import os
import re
import socket
import ssl

from tracekeeper.engine.connection import READ_SIZE, Connection
from tracekeeper.engine.errors import ConnectionLost, TlsFailure
from tracekeeper.engine.host import Tls
from tracekeeper.errors import EngineError

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def tls_context(tls: Tls) -> ssl.SSLContext:
    """The context for connections to an engine. Raises TlsFailure naming what cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    _load(context, tls)
    if tls.max_version:
        context.maximum_version = _VERSIONS[tls.max_version]
    if tls.ciphers:
        try:
            context.set_ciphers(tls.ciphers)
        except ssl.SSLError:
            raise TlsFailure(f"{tls.ciphers!r} names no cipher suite of OpenSSL") from None
    if tls.keylog:
        try:
            _make_private(tls.keylog)
            context.keylog_filename = tls.keylog
        except OSError as error:
            raise TlsFailure(
                f"the TLS key log {tls.keylog} cannot be written: {error.strerror}"
            ) from None
    return context


def _make_private(path: str) -> None:
    """Make the file, for its owner alone, unless there is one: OpenSSL makes it for everybody."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _load(context: ssl.SSLContext, tls: Tls) -> None:
    name = tls.ca
    try:
        if tls.ca:
            context.load_verify_locations(tls.ca)
        elif tls.verify:
            context.load_default_certs()
        name = tls.cert
        if tls.cert:
            context.load_cert_chain(tls.cert, tls.key or None, password=_refuse_password)
    except ssl.SSLError as error:
        raise TlsFailure(
            f"{name} is not a certificate, or not with its own key in PEM: {error.reason or error}"
        ) from None
    except OSError as error:
        raise TlsFailure(f"{name} cannot be read: {error.strerror}") from None


def _refuse_password() -> str:
    raise TlsFailure("the client's key is protected by a password; use one that is not")


async def over_tls(
    connection: Connection, context: ssl.SSLContext, hostname: str, *, timeout: float
) -> "TlsConnection":
    """Shake hands over `connection`, which is closed if that fails.

    Raises TlsFailure, which says what is wrong with whose certificate; ConnectionLost.
    """
    secured = TlsConnection(connection, context, hostname)
    try:
        async with asyncio.timeout(timeout):
            await secured.handshake()
    except TimeoutError:
        connection.close()
        raise ConnectionLost(f"TLS with {hostname} was not agreed on in {timeout:.0f} s") from None
    except BaseException:
        connection.close()
        raise
    return secured


class TlsConnection:
    """A `Connection` inside another one. `tls` is the session, for who wants to look at it."""

    def __init__(self, inner: Connection, context: ssl.SSLContext, hostname: str) -> None:
        self._inner = inner
        self._hostname = hostname
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=hostname)
        self._ahead = b""
        self._heard = False
        self._finished = False

    async def handshake(self) -> None:
        """Agree on keys and check the certificate. Raises TlsFailure, ConnectionLost."""
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._receive()
            except ssl.SSLEOFError:
                raise ConnectionLost(
                    f"the connection to {self._hostname} ended in the middle of the TLS handshake"
                ) from None
            except ssl.SSLError as error:
                with contextlib.suppress(ConnectionLost):
                    await self._flush()  # the alert that tells the other side why
                raise _failure(error, self._hostname) from error
            else:
                await self._flush()
                return

    async def read(self) -> bytes:
        """See `Connection.read`. Empty means that the other side said goodbye; a stream that just
        stops raises ConnectionLost."""
        ahead, self._ahead = self._ahead, b""
        while not (data := ahead or self._decrypted()) and not self._finished:
            await self._flush()
            await self._receive()
        return data

    async def write(self, data: bytes) -> None:
        """See `Connection.write`."""
        try:
            self.tls.write(data)
        except ssl.SSLError as error:
            raise self._broken(error) from error
        try:
            await self._flush()
        except ConnectionLost:
            await self._look_for_refusal()
            raise

    async def _look_for_refusal(self) -> None:
        """Raises TlsFailure if that is what the other side said before the connection broke."""
        if not self._heard:
            await self._receive()
            self._ahead += self._decrypted()

    async def write_eof(self) -> None:
        """See `Connection.write_eof`. The other side may go on sending (RFC 8446 §6.1); what it has
        sent already is taken out first, for OpenSSL takes it amiss there."""
        while data := self._decrypted():
            self._ahead += data
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            raise self._broken(error) from error
        await self._flush()

    @property
    def usable(self) -> bool:
        """See `Connection.usable`."""
        return not self._finished and self._inner.usable

    def close(self) -> None:
        """See `Connection.close`."""
        self._inner.close()

    @property
    def socket(self) -> "socket.socket":
        """See `Connection.socket`."""
        return self._inner.socket

    def _decrypted(self) -> bytes:
        """What has come and can be read: whole records, as many as there are."""
        parts: list[bytes] = []
        size = 0
        try:
            while size < READ_SIZE and (data := self.tls.read(READ_SIZE)):
                parts.append(data)
                size += len(data)
            self._finished = size < READ_SIZE
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:  # the other side's goodbye, after ours
            self._finished = True
        except ssl.SSLError as error:
            if not parts:
                raise self._broken(error) from error
        self._heard = self._heard or bool(parts)
        return b"".join(parts)

    async def _receive(self) -> None:
        if data := await self._inner.read():
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    async def _flush(self) -> None:
        if data := self._outgoing.read():
            await self._inner.write(data)

    def _broken(self, error: ssl.SSLError) -> EngineError:
        """What an error after the handshake means. With TLS 1.3 the refusal of a client's
        certificate comes when our side of the handshake is done: the first read meets it."""
        if isinstance(error, ssl.SSLEOFError):
            return ConnectionLost(
                f"the connection to {self._hostname} was cut: it ended without TLS's goodbye"
            )
        if not _is_alert(error):
            return ConnectionLost(f"what came from {self._hostname} is damaged: {_reason(error)}")
        if not self._heard:
            return _failure(error, self._hostname)
        return ConnectionLost(f"{self._hostname} ended the TLS connection: {_reason(error)}")


def _failure(error: ssl.SSLError, hostname: str) -> TlsFailure:
    """What a failed handshake means."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return TlsFailure(
            f"the certificate of {hostname} is not accepted: {error.verify_message}",
            hint="check its names, its dates, and the CA that is trusted (ca.pem)",
        )
    if error.reason == "WRONG_VERSION_NUMBER":
        return TlsFailure(
            f"{hostname} does not speak TLS on this port", hint="use tcp:// or http://"
        )
    if _is_alert(error):
        return TlsFailure(
            f"{hostname} refused the TLS connection: {_reason(error)}",
            hint="check our certificate: its CA, its dates, its purpose (clientAuth);"
            " `tracekeeper engine check` says which",
        )
    return TlsFailure(f"TLS with {hostname} failed: {_reason(error)}")


def _is_alert(error: ssl.SSLError) -> bool:
    return "_ALERT_" in (error.reason or "")


def _reason(error: ssl.SSLError) -> str:
    """OpenSSL's words. It names an alert by the version that had it first: that says nothing."""
    name = re.sub("^(SSLV3|TLSV1|TLSV13)_ALERT_", "", error.reason or str(error))
    return name.lower().replace("_", " ")
