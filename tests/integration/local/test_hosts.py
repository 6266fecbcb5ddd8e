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
    assert "both tcp://b and the docker context 'a' name an engine" in run.errors


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
    assert run.code == 1
    weak = [text for text in run.warnings if "tcp://e.invalid:1" in text and "job" not in text]
    assert ["is not checked" in weak[0], "are written to" in weak[1]] == [True, True]
    assert len(weak) == 2


def test_an_engine_that_is_named_and_not_there_fails_the_job(checkout: Any) -> None:
    checkout.pipeline(PIPELINE)
    gone = f"unix://{checkout.home}/none"
    run = checkout.run("-e", "auto", "--docker-host", gone)
    assert run.code == 1
    config = checkout.home / "config.toml"
    config.write_text(f"[runners.docker]\nhost = '{gone}'")
    run = checkout.run("-e", "auto", "--docker-config", str(config))
    assert run.code == 1
    [began] = [event for event in run.events if event["type"] == "job_started"]
    assert (began["executor"], began["why"]) == (
        "docker",
        f"the engine was named by host in {config}",
    )
    [ended] = [event for event in run.events if event["type"] == "job_finished"]
    assert ended["message"].startswith(f"no Docker Engine can be reached at {gone}")


def test_an_engine_of_the_environment_may_be_gone(checkout: Any) -> None:
    checkout.pipeline(PIPELINE)
    gone = f"unix://{checkout.home}/none"
    run = checkout.run("-e", "auto", environment={"DOCKER_HOST": gone})
    assert run.code == 0
    [warning] = run.warnings
    assert warning.startswith("job runs on this machine, not in busybox: no Docker Engine")
    assert "`--executor docker` insists" in warning


def test_keys_of_tls_without_tls_are_told(checkout: Any) -> None:
    checkout.pipeline(PIPELINE)
    config = checkout.home / "config.toml"
    config.write_text("[runners.docker.connection]\ntls_max_version = '1.2'")
    run = checkout.run("-e", "auto", "--docker-config", str(config))
    assert any("tls_max_version in [runners.docker.connection]" in text for text in run.warnings)


def test_no_engine_is_looked_for_where_none_is_wanted(checkout: Any) -> None:
    checkout.pipeline(PIPELINE)
    run = checkout.run("-e", "shell", environment={"DOCKER_CONTEXT": "gone"})
    assert run.code == 0
