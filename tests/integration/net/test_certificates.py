"""The oracle is openssl."""

import subprocess
import sys
from pathlib import Path

import pytest

from tracekeeper.net.lab import Lab
from tracekeeper.net.lab.certificates import write_certificates
from tracekeeper.net.lab.errors import LabError


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("certificates") / "made"
    write_certificates(directory, "192.0.2.7")
    return directory


def verify(directory: Path, purpose: str, certificate: str, *options: str) -> bool:
    command = ["openssl", "verify", "-x509_strict", "-CAfile", "ca.pem", "-purpose", purpose]
    done = subprocess.run(
        [*command, *options, certificate], cwd=directory, capture_output=True, check=False
    )
    return done.returncode == 0


def test_each_certificate_serves_its_end_alone(made: Path) -> None:
    assert verify(made, "sslclient", "cert.pem")
    assert verify(made, "sslserver", "server.pem", "-verify_ip", "192.0.2.7")
    assert not verify(made, "sslserver", "server.pem", "-verify_ip", "192.0.2.8")
    assert not verify(made, "sslserver", "cert.pem")
    assert not verify(made, "sslclient", "server.pem")


@pytest.mark.parametrize(("key", "certificate"), [("key", "cert"), ("server-key", "server")])
def test_each_key_belongs_to_its_certificate(key: str, certificate: str, made: Path) -> None:
    questions = (
        ["pkey", "-in", f"{key}.pem", "-pubout"],
        ["x509", "-in", f"{certificate}.pem", "-noout", "-pubkey"],
    )
    answers = {
        subprocess.run(["openssl", *words], cwd=made, capture_output=True, check=True).stdout
        for words in questions
    }
    assert len(answers) == 1


def test_nobody_else_can_read_them(made: Path) -> None:
    assert {file.stat().st_mode & 0o077 for file in (made, *made.iterdir())} == {0}


def test_a_missing_package_is_named_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    monkeypatch.setattr("tracekeeper.net.lab.keeper.require", lambda _: pytest.fail("too late"))
    with pytest.raises(LabError, match="package cryptography") as caught, Lab():
        pass
    assert "tracekeeper[net]" in caught.value.hint
