"""What a certificate says: the few fields of X.509 that decide whether TLS will work. Pure.

`ssl` tells them only of a certificate that it accepts, and people want to know them of one that it
does not. This reads DER (X.690) as far as RFC 5280 §4.1 needs it; it verifies nothing.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import TypeAlias

import msgspec

SERVER_AUTH, CLIENT_AUTH = "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"
ANY_USE = "2.5.29.37.0"
_COMMON_NAME, _ALTERNATIVES, _EXTENDED_USE = "2.5.4.3", "2.5.29.17", "2.5.29.37"

_UTC_TIME = 0x17
_VERSION, _EXTENSIONS = 0xA0, 0xA3
_DNS_NAME, _IP_ADDRESS = 0x82, 0x87

_Element: TypeAlias = tuple[int, bytes]
"""Tag and content."""


class Certificate(msgspec.Struct, frozen=True):
    """`subject` and `issuer` are the common names, or else the last parts of the names;
    `subject_name` and `issuer_name` are the whole ones as DER, for comparison. `names` are the DNS
    names and addresses that it is for. `uses` are the extended key usages as dotted numbers, None
    where it is not limited to any."""

    subject: str
    issuer: str
    subject_name: bytes
    issuer_name: bytes
    begins: datetime
    ends: datetime
    names: tuple[str, ...] = ()
    uses: tuple[str, ...] | None = None

    def allows(self, use: str) -> bool:
        """Whether its key may be put to `use` (RFC 5280 §4.2.1.12)."""
        return self.uses is None or use in self.uses or ANY_USE in self.uses

    def covers(self, host: str) -> bool:
        """Whether it is for `host`, a DNS name or an address (RFC 6125 §6.4)."""
        wanted = _plain(host)
        parent = wanted.partition(".")[2]
        return any(name in (wanted, f"*.{parent}") for name in map(_plain, self.names))


def read_certificate(der: bytes) -> Certificate:
    """The certificate in `der`. Raises ValueError where that is none."""
    try:
        (_, whole), *_ = _elements(der)
        (_, body), *_ = _elements(whole)
        fields = list(_elements(body))
        if fields[0][0] == _VERSION:
            del fields[0]
        _, _, (_, issuer), (_, validity), (_, subject), *rest = fields
        begins, ends = map(_time, _elements(validity))
        extensions = dict(_extensions(rest))
        return Certificate(
            subject=_common_name(subject),
            issuer=_common_name(issuer),
            subject_name=subject,
            issuer_name=issuer,
            begins=begins,
            ends=ends,
            names=tuple(_alternatives(extensions.get(_ALTERNATIVES, b""))),
            uses=_uses(extensions.get(_EXTENDED_USE)),
        )
    except (IndexError, ValueError) as error:
        raise ValueError(f"no certificate: {error}") from error


def _elements(data: bytes) -> Iterator[_Element]:
    """The elements that `data` is made of, one after the other."""
    while data:
        tag, length, start = data[0], data[1], 2
        if length & 0x80:
            start += length & 0x7F
            length = int.from_bytes(data[2:start], "big")
        if len(data) < start + length:
            raise ValueError("it is cut off")
        yield tag, data[start : start + length]
        data = data[start + length :]


def _time(element: _Element) -> datetime:
    """A time (RFC 5280 §4.1.2.5): where the year has two digits, those from 50 on are 19xx."""
    tag, content = element
    text = content.decode("ascii")
    if tag == _UTC_TIME:
        text = f"{19 if text >= '50' else 20}{text}"
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _common_name(name: bytes) -> str:
    """The common name, else the last part: a name is a list of sets of attributes."""
    text = ""
    for _, group in _elements(name):
        for _, attribute in _elements(group):
            (_, kind), (_, value) = _elements(attribute)
            text = value.decode("utf-8", "replace")
            if _dotted(kind) == _COMMON_NAME:
                return text
    return text


def _extensions(fields: list[_Element]) -> Iterator[tuple[str, bytes]]:
    for tag, content in fields:
        if tag != _EXTENSIONS:
            continue
        (_, listed), *_ = _elements(content)
        for _, extension in _elements(listed):
            (_, kind), *_, (_, value) = _elements(extension)
            yield _dotted(kind), value


def _alternatives(value: bytes) -> Iterator[str]:
    for _, listed in _elements(value):
        for tag, content in _elements(listed):
            if tag == _DNS_NAME:
                yield content.decode("ascii")
            elif tag == _IP_ADDRESS:
                yield str(ip_address(content))


def _uses(value: bytes | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    (_, listed), *_ = _elements(value)
    return tuple(_dotted(content) for _, content in _elements(listed))


def _dotted(oid: bytes) -> str:
    """An object identifier as numbers (X.690 §8.19): seven bits a byte, the first is two."""
    numbers, number = [], 0
    for byte in oid:
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(number)
            number = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, [first, numbers[0] - 40 * first, *numbers[1:]]))


def _plain(name: str) -> str:
    """A name as names are compared: an address in its one form, a DNS name in lower case."""
    try:
        return str(ip_address(name))
    except ValueError:
        return name.lower().rstrip(".")
