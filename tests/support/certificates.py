"""Certificates for engines and their clients, good ones and such as nobody should accept."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tracekeeper.engine.host import Tls

Use: TypeAlias = Literal["server", "client"]
DAY = timedelta(days=1)
LOOPBACK = ("localhost", "127.0.0.1")
_USES = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}


class Authority:
    """Signs certificates. Every part of one can be given, so that it can be wrong."""

    def __init__(self, name: str = "an authority") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        builder = _builder(self._name, self._name, self._key, -DAY, 10 * DAY)
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        builder = builder.add_extension(constraints, critical=True)
        self._certificate = builder.add_extension(usage, critical=True).sign(
            self._key, hashes.SHA256()
        )

    @property
    def pem(self) -> bytes:
        """Its own certificate."""
        return self._certificate.public_bytes(Encoding.PEM)

    def sign(
        self,
        certificate: Path,
        key: Path,
        *,
        use: Use,
        names: Sequence[str] = (),
        begins: timedelta = -DAY,
        ends: timedelta = DAY,
    ) -> None:
        """Write a new key and its certificate, valid between two times from now."""
        own = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(use), self._name, own, begins, ends)
        builder = builder.add_extension(x509.ExtendedKeyUsage([_USES[use]]), critical=False)
        if names:
            builder = builder.add_extension(_alternatives(names), critical=False)
        certificate.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))
        key.write_bytes(
            own.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        )


def write_all(directory: Path, authority: Authority) -> Path:
    """A new directory with all that an engine on this machine and its client need."""
    directory.mkdir()
    (directory / "ca.pem").write_bytes(authority.pem)
    authority.sign(
        directory / "server.pem", directory / "server-key.pem", use="server", names=LOOPBACK
    )
    authority.sign(directory / "cert.pem", directory / "key.pem", use="client")
    return directory


def client_tls(directory: Path) -> Tls:
    """What a client of that engine has to be told."""
    ca, cert, key = (
        str(path) if (path := directory / f"{name}.pem").exists() else ""
        for name in ("ca", "cert", "key")
    )
    return Tls(ca=ca, cert=cert, key=key)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    begins: timedelta,
    ends: timedelta,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
    )


def _alternatives(names: Sequence[str]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName(
        [
            x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
            for name in names
        ]
    )
