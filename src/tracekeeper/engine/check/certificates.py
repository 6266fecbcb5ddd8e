"""What is right and wrong with certificates. Pure: the time is passed in."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from tracekeeper.engine.check.finding import Finding, error, ok, warning
from tracekeeper.engine.x509 import CLIENT_AUTH, SERVER_AUTH, Certificate

SOON = 30
"""Days before its end in which a certificate should be replaced."""


def server_findings(certificate: Certificate, host: str, now: datetime) -> Iterator[Finding]:
    """What is to be said of the engine's certificate, but for who issued it."""
    yield _dates("server", "the engine's certificate", certificate, now)
    if certificate.covers(host):
        yield ok("server_name", f"the engine's certificate is for {host}")
    else:
        yield _wrong_name(certificate, host)
    if not certificate.allows(SERVER_AUTH):
        yield error(
            "server_purpose",
            "the engine's certificate may not be used by a server: its extended key usage lacks"
            " serverAuth",
            "issue one for servers",
        )


def _wrong_name(certificate: Certificate, host: str) -> Finding:
    if not certificate.names:
        return error(
            "server_name",
            f"the engine's certificate names no host: it has no subjectAltName, and its common name"
            f" '{certificate.subject}' is not looked at",
            f"issue one with {host} among its alternative names",
        )
    listed = ", ".join(certificate.names)
    return error(
        "server_name",
        f"the engine's certificate is not for {host}, but for {listed}",
        f"dial it by one of those names, or issue one that has {host} among them",
    )


def client_findings(
    certificate: Certificate, authorities: Sequence[Certificate], now: datetime
) -> Iterator[Finding]:
    """What is to be said of our certificate; `authorities` are those that we trust, which are
    most often those that the engine trusts too."""
    yield _dates("client", "our certificate", certificate, now)
    if not certificate.allows(CLIENT_AUTH):
        yield error(
            "client_purpose",
            "our certificate may not be used by a client: its extended key usage lacks clientAuth",
            "issue one for clients, or one without an extended key usage",
        )
    if authorities and not _issued_by(certificate, authorities):
        names = ", ".join(f"'{each.subject}'" for each in authorities)
        yield warning(
            "client_authority",
            f"our certificate was issued by '{certificate.issuer}', and ca.pem holds {names}",
            "an engine that trusts the same CA as we do refuses it: take one that this CA issued",
        )


def wrong_authority(certificate: Certificate, authorities: Sequence[Certificate]) -> Finding:
    """Who issued the engine's certificate is not who we trust."""
    trusted = ", ".join(f"'{each.subject}'" for each in authorities) or "the system's authorities"
    return error(
        "server_authority",
        f"the engine's certificate was not issued by who is trusted: its issuer is"
        f" '{certificate.issuer}', trusted is {trusted}",
        "take the ca.pem that belongs to this engine; if it should, somebody is in between",
    )


def _issued_by(certificate: Certificate, authorities: Sequence[Certificate]) -> bool:
    return any(each.subject_name == certificate.issuer_name for each in authorities)


def _dates(who: str, what: str, certificate: Certificate, now: datetime) -> Finding:
    if now < certificate.begins:
        return error(
            f"{who}_dates",
            f"{what} is not valid before {certificate.begins:%Y-%m-%d %H:%M} UTC",
            "check both clocks, or issue another",
        )
    if now >= certificate.ends:
        return error(
            f"{who}_dates",
            f"{what} expired on {certificate.ends:%Y-%m-%d %H:%M} UTC",
            "issue another",
        )
    until = f"until {certificate.ends:%Y-%m-%d}"
    days = (certificate.ends - now).days
    if days >= SOON:
        return ok(f"{who}_dates", f"{what} is valid {until}")
    left = f"{days} more day{'' if days == 1 else 's'}"
    hint = "issue another before it ends"
    return warning(f"{who}_dates", f"{what} is valid for {left}, {until}", hint)
