import pytest

from tracekeeper.engine.models import ContainerState, Image
from tracekeeper.runner.executors.failures import Subject, not_begun, not_started

NO_SH = (
    "failed to create shim: OCI runtime create failed: runc create failed: unable to start "
    'container process: exec: "sh": executable file not found in $PATH: unknown'
)
NO_ENTRYPOINT = 'runc failed: exec: "/x": stat /x: no such file or directory: unknown'
ENDED = ContainerState("exited", running=False, exit_code=4)


def subject(*entrypoint: str, architecture: str = "amd64") -> Subject:
    return Subject("img", Image("sha256:1", "linux", architecture), entrypoint, "linux/amd64")


@pytest.mark.parametrize(
    ("reason", "what", "sentence"),
    [
        (NO_SH, subject(), "image img has no shell"),
        (NO_ENTRYPOINT, subject("/x"), "'/x' of image img cannot be run: stat /x: no such file"),
        ("exec format error", subject(architecture="arm64"), "is for linux/arm64, but"),
    ],
)
def test_configurations_that_cannot_start(reason: str, what: Subject, sentence: str) -> None:
    error = not_started(reason, what)
    assert sentence in error.message
    assert error.reason == "runner_configuration_error"
    assert error.hint


def test_another_reason_is_the_systems() -> None:
    error = not_started("no space left on device", subject())
    assert error.message.endswith("cannot be started: no space left on device")
    assert error.reason == "runner_system_failure"


def test_a_foreign_image_never_begins() -> None:
    assert "is for linux/arm64" in not_begun(ENDED, subject("x", architecture="arm64")).message


def test_an_entrypoint_that_does_not_run_its_arguments() -> None:
    error = not_begun(ENDED, subject("git", "x"))
    assert "'git x' of image img did not run the job's script" in error.message
    assert error.reason == "runner_configuration_error"


def test_a_container_that_ended_before_its_script() -> None:
    error = not_begun(ENDED, subject())
    assert "ended with status 4 before the job's script began" in error.message
    assert error.reason == "runner_system_failure"
