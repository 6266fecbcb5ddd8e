"""Which engine `tracekeeper run` means, and what it says about the way there."""

from typing import Any

from tests.support.certificates import Authority, write_all

PIPELINE = "job: {image: busybox, script: [echo fine]}"


def test_a_context_that_is_not_there(checkout: Any) -> None:
    checkout.pipeline(PIPELINE)
    run = checkout.run("-e", "auto", "--docker-context", "gone")
    assert run.code == 2
    assert "there is no docker context 'gone'" in run.errors
    assert not (checkout.root / ".tracekeeper").exists()


def test_two_engines(checkout: Any) -> None:
    checkout.pipeline(PIPELINE)
    run = checkout.run("-e", "auto", "--docker-context", "a", "--docker-host", "tcp://b")
    assert run.code == 2
    assert "both --docker-host and --docker-context" in run.errors


def test_no_password_is_told(checkout: Any) -> None:
    checkout.pipeline(PIPELINE)
    proxied = {"HTTP_PROXY": "http://me:hunter2@", "HTTPS_PROXY": "http://me:hunter2@"}
    run = checkout.run("-e", "auto", "--docker-host", "tcp://e.invalid", environment=proxied)
    assert run.code == 2
    assert "'http://me:…@' is no HTTP proxy" in run.errors
    run = checkout.run("-e", "auto", "--docker-host", "ssh://me:hunter2@box")
    assert run.code == 2
    assert "hunter2" not in run.errors


def test_what_is_weak_is_said_once(checkout: Any, tmp_path: Any) -> None:
    checkout.pipeline(PIPELINE)
    write_all(tmp_path / "certificates", Authority())
    environ = {
        "DOCKER_TLS": "1",
        "DOCKER_CERT_PATH": str(tmp_path / "certificates"),
        "SSLKEYLOGFILE": str(tmp_path / "keys"),
    }
    run = checkout.run("-e", "auto", "--docker-host", "tcp://e.invalid:1", environment=environ)
    assert run.code == 0
    weak = [text for text in run.warnings if "tcp://e.invalid:1" in text and "job" not in text]
    assert ["is not checked" in weak[0], "are written to" in weak[1]] == [True, True]
    assert len(weak) == 2


def test_no_engine_is_looked_for_where_none_is_wanted(checkout: Any) -> None:
    checkout.pipeline(PIPELINE)
    run = checkout.run("-e", "shell", environment={"DOCKER_CONTEXT": "gone"})
    assert run.code == 0
