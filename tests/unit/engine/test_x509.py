"""Certificates as they are read, beside the `cryptography` package, which made them."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import example, given
from hypothesis import strategies as st

from tracekeeper.engine.x509 import CLIENT_AUTH, SERVER_AUTH, read_certificate

KEY = ec.generate_private_key(ec.SECP256R1())
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LONGEST = 64  # bytes: RFC 5280, ub-common-name
texts = st.text(
    st.characters(codec="utf-8", categories=("L", "N")), min_size=1, max_size=60
).filter(lambda text: len(text.encode()) <= LONGEST)
labels = st.from_regex(r"[a-z][a-z0-9]{0,10}", fullmatch=True)
dns = st.builds(".".join, st.lists(labels, min_size=1, max_size=4))
addresses = st.ip_addresses().map(str)
numbers = st.lists(st.integers(0, 2**70), max_size=5)
FIRST, TURN, LAST = (datetime.fromisoformat(f"{year}-01-01") for year in (1950, 2050, 2100))
moments = st.datetimes(FIRST, LAST).map(lambda moment: moment.replace(microsecond=0))


def name(text: str, *, common: bool = True) -> x509.Name:
    kind = NameOID.COMMON_NAME if common else NameOID.ORGANIZATION_NAME
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "unit"),
            x509.NameAttribute(kind, text),
        ]
    )


def made(
    *,
    subject: x509.Name | None = None,
    issuer: x509.Name | None = None,
    begins: datetime = NOW,
    ends: datetime = NOW + timedelta(days=1),
    names: list[x509.GeneralName] | None = None,
    uses: list[str] | None = None,
) -> bytes:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject or name("subject"))
        .issuer_name(name("issuer") if issuer is None else issuer)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    )
    if names is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if uses is not None:
        listed = [x509.ObjectIdentifier(use) for use in uses]
        builder = builder.add_extension(x509.ExtendedKeyUsage(listed), critical=False)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)


def alternatives(names: list[str]) -> list[x509.GeneralName]:
    return [
        x509.IPAddress(ip_address(each)) if ":" in each or each[0].isdigit() else x509.DNSName(each)
        for each in names
    ]


@given(texts, texts, moments, moments, st.lists(dns | addresses, max_size=5))
@example("a", "b", FIRST, TURN, [])
def test_what_was_put_in(
    subject: str, issuer: str, one: datetime, other: datetime, names: list[str]
) -> None:
    begins, ends = sorted((one, other))
    der = made(
        subject=name(subject),
        issuer=name(issuer),
        begins=begins,
        ends=ends,
        names=alternatives(names) if names else None,
    )
    read = read_certificate(der)
    assert (read.subject, read.issuer) == (subject, issuer)
    assert (read.begins, read.ends) == (begins.replace(tzinfo=UTC), ends.replace(tzinfo=UTC))
    assert read.names == tuple(names)
    assert read.uses is None
    assert (read.subject_name == read.issuer_name) == (subject == issuer)


@given(st.integers(0, 39), numbers)
def test_uses(second: int, rest: list[int]) -> None:
    use = ".".join(map(str, [1, second, *rest]))
    assert read_certificate(made(uses=[use, "2.999.3"])).uses == (use, "2.999.3")


def test_names_of_other_kinds_are_passed_over() -> None:
    names = [x509.RFC822Name("a@b.example"), x509.DNSName("b.example")]
    assert read_certificate(made(names=names)).names == ("b.example",)


def test_a_name_without_a_common_name() -> None:
    read = read_certificate(made(subject=name("Some House", common=False), issuer=x509.Name([])))
    assert (read.subject, read.issuer) == ("Some House", "")


WHOLE = made(names=alternatives(["a.example", "::1"]), uses=[SERVER_AUTH])


@given(st.data())
def test_damage(data: st.DataObject) -> None:
    """Whatever is read, nothing but ValueError comes of it."""
    der = bytearray(WHOLE)
    cut = data.draw(st.integers(0, len(der)))
    for _ in range(data.draw(st.integers(0, 3))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    try:
        read_certificate(bytes(der[:cut]))
    except ValueError:
        return


@pytest.mark.parametrize("der", [b"", b"0", b"\x30\x05ab", b"\x30\x84", b"junk", b"\x30\x00"])
def test_no_certificate(der: bytes) -> None:
    with pytest.raises(ValueError, match="no certificate"):
        read_certificate(der)


@pytest.mark.parametrize(
    ("names", "host", "covered"),
    [
        (["docker.example"], "docker.example", True),
        (["Docker.Example"], "dOCKER.eXAMPLE.", True),
        (["*.example"], "docker.example", True),
        (["*.example"], "a.docker.example", False),
        (["*.example"], "example", False),
        (["docker.example"], "example", False),
        (["10.0.0.1"], "10.0.0.1", True),
        (["::1"], "0:0:0:0:0:0:0:1", True),
        (["10.0.0.1"], "10.0.0.2", False),
    ],
)
def test_which_host_it_is_for(names: list[str], host: str, covered: bool) -> None:
    assert read_certificate(made(names=alternatives(names))).covers(host) is covered


@pytest.mark.parametrize(
    ("uses", "client"),
    [(None, True), ([CLIENT_AUTH], True), (["2.5.29.37.0"], True), ([SERVER_AUTH], False)],
)
def test_what_its_key_is_for(uses: list[str] | None, client: bool) -> None:
    assert read_certificate(made(uses=uses)).allows(CLIENT_AUTH) is client


def test_the_first_version_says_no_version() -> None:
    der = made(subject=name("old"), names=alternatives(["a" * 60 + ".example"] * 2))
    version = b"\xa0\x03\x02\x01\x02"
    at = der.index(version)
    assert der[:2] == der[4:6] == b"\x30\x82", "lengths of two bytes"
    shorter = [(int.from_bytes(der[i : i + 2]) - len(version)).to_bytes(2) for i in (2, 6)]
    old = b"\x30\x82" + shorter[0] + b"\x30\x82" + shorter[1] + der[8:at] + der[at + len(version) :]
    assert read_certificate(old).subject == "old"
