"""What is said of certificates."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tracekeeper.engine.check.certificates import (
    client_findings,
    server_findings,
    wrong_authority,
)
from tracekeeper.engine.x509 import CLIENT_AUTH, SERVER_AUTH, Certificate

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
DAY = timedelta(days=1)


def certificate(subject: str = "engine", **changes: Any) -> Certificate:
    fields = {
        "issuer": "ca",
        "subject_name": subject.encode(),
        "issuer_name": b"ca",
        "begins": NOW - DAY,
        "ends": NOW + 100 * DAY,
        "names": ("engine.example", "10.0.0.1"),
    }
    return Certificate(subject, **{**fields, **changes})


def said(found: Any) -> dict[str, tuple[str, str]]:
    return {finding.code: (finding.level, finding.sentence) for finding in found}


def test_a_good_one() -> None:
    found = said(server_findings(certificate(uses=(SERVER_AUTH,)), "10.0.0.1", NOW))
    assert {level for level, _ in found.values()} == {"ok"}
    assert found["server_dates"][1].endswith("is valid until 2026-04-12")


@pytest.mark.parametrize(
    ("changes", "level", "sentence"),
    [
        ({"ends": NOW}, "error", "the engine's certificate expired on 2026-01-02 03:04 UTC"),
        ({"begins": NOW + DAY}, "error", "is not valid before 2026-01-03 03:04 UTC"),
        ({"ends": NOW + 30 * DAY - DAY / 2}, "warning", "valid for 29 more days"),
        ({"ends": NOW + DAY}, "warning", "valid for 1 more day, until 2026-01-03"),
        ({"ends": NOW + 30 * DAY}, "ok", "is valid until 2026-02-01"),
    ],
)
def test_dates(changes: dict[str, Any], level: str, sentence: str) -> None:
    found = said(server_findings(certificate(**changes), "10.0.0.1", NOW))
    assert found["server_dates"][0] == level
    assert sentence in found["server_dates"][1]


def test_names() -> None:
    found = said(server_findings(certificate(), "other.example", NOW))
    assert found["server_name"] == (
        "error",
        "the engine's certificate is not for other.example, but for engine.example, 10.0.0.1",
    )
    found = said(server_findings(certificate(names=()), "engine", NOW))
    assert "names no host: it has no subjectAltName" in found["server_name"][1]


def test_purposes() -> None:
    found = said(server_findings(certificate(uses=(CLIENT_AUTH,)), "10.0.0.1", NOW))
    assert found["server_purpose"][0] == "error"
    found = said(client_findings(certificate(uses=(SERVER_AUTH,)), (), NOW))
    assert found["client_purpose"][0] == "error"
    assert set(said(client_findings(certificate(uses=None), (), NOW))) == {"client_dates"}


def test_authorities() -> None:
    own, other = certificate("ca"), certificate("other")
    assert "client_authority" not in said(client_findings(certificate(), (other, own), NOW))
    found = said(client_findings(certificate(), (other,), NOW))
    assert found["client_authority"][1] == (
        "our certificate was issued by 'ca', and ca.pem holds 'other'"
    )
    assert "issuer is 'ca', trusted is 'other'" in wrong_authority(certificate(), [other]).sentence
    assert "the system's authorities" in wrong_authority(certificate(), []).sentence
