"""Certificates for mutual TLS with one Docker host, good for a few days.

The files have the names that Docker's documentation uses ("Protect the Docker daemon socket"):
``ca.pem``, ``cert.pem`` and ``key.pem`` for the client, ``server.pem`` and ``server-key.pem``.
Keys are RSA, as Docker Machine makes them: only with such a key can a server agree to a key
exchange that a capture can be decrypted from later.
"""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from tracekeeper.net.lab.errors import LabError

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

LIFETIME = timedelta(days=7)
CLOCK_SKEW = timedelta(minutes=5)


def require() -> None:
    """Raises LabError if what certificates are made with is missing."""
    try:
        import cryptography  # noqa: F401
    except ImportError:
        raise LabError(
            "the lab needs the package cryptography to make certificates",
            hint="pip install 'tracekeeper[net]'",
        ) from None


def write_certificates(directory: Path, address: str) -> None:
    """Make an authority, and certificates for a server at the IP `address` and for a client.

    The authority's key is not kept. See `require`.
    """
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID as Usage

    directory.mkdir(mode=0o700)
    authority = _new_key()
    certificates = {
        "ca.pem": (authority, "authority", x509.BasicConstraints(ca=True, path_length=0)),
        "cert.pem": (_new_key(), "client", x509.ExtendedKeyUsage([Usage.CLIENT_AUTH])),
        "server.pem": (_new_key(), address, x509.ExtendedKeyUsage([Usage.SERVER_AUTH])),
    }
    for name, (key, subject, extension) in certificates.items():
        _write(directory / name, _pem(_certificate(key, subject, extension, authority)))
    _write(directory / "key.pem", _key_pem(certificates["cert.pem"][0]))
    _write(directory / "server-key.pem", _key_pem(certificates["server.pem"][0]))


def _certificate(
    key: "RSAPrivateKey", subject: str, extension: "x509.ExtensionType", authority: "RSAPrivateKey"
) -> "x509.Certificate":
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256

    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name("authority"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + LIFETIME)
        .add_extension(extension, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    # RFC 5280 §4.2.1.1 and §4.2.1.3; Python 3.13 and newer insist on both.
    if key is authority:
        builder = builder.add_extension(_signs_certificates(), critical=True)
    else:
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key())
        builder = builder.add_extension(issuer, critical=False)
    if subject[0].isdigit():
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(subject))])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(authority, SHA256())


def _signs_certificates() -> "x509.KeyUsage":
    from cryptography import x509

    return x509.KeyUsage(
        key_cert_sign=True,
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(name: str) -> "x509.Name":
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"tracekeeper lab {name}")])


def _new_key() -> "RSAPrivateKey":
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _pem(certificate: "x509.Certificate") -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _key_pem(key: "RSAPrivateKey") -> bytes:
    from cryptography.hazmat.primitives import serialization as form

    return key.private_bytes(
        form.Encoding.PEM, form.PrivateFormat.TraditionalOpenSSL, form.NoEncryption()
    )


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    path.chmod(0o600)
