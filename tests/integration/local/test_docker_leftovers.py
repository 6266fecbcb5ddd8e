"""What a killed run left on an engine is removed by the next run of its data directory, once it
cannot be taken up any more."""

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from tracekeeper.engine.host import Host

pytestmark = pytest.mark.docker


def made_by(engine_api: Callable[..., Any], checkout: Any) -> list[str]:
    filters = (
        f"?all=1&filters=%7B%22label%22%3A%5B%22tracekeeper.data%3D{checkout.data.id}%22%5D%7D"
    )
    return [thing["Id"] for thing in engine_api("GET", f"/containers/json{filters}")]


def test_a_killed_run(
    checkout: Any, engine_url: str, engine_api: Callable[..., Any], busybox: str
) -> None:
    checkout.pipeline(f"""
job: {{image: {{name: "{busybox}", pull_policy: never}}, script: [echo begun, sleep 600]}}
other: {{script: [echo]}}
""")
    docker = ("-e", "auto", "--docker-host", engine_url)
    killed = checkout.start(*docker, "job")
    alive = checkout.start(*docker, "job")
    for run in (killed, alive):
        run.until_output("\nbegun\n")
    assert len(made_by(engine_api, checkout)) == 2
    killed.signal(signal.SIGKILL)
    killed.end()
    assert checkout.kept(1).engine.url == engine_url
    numbers = [run.of_type("run_started")[0]["run"] for run in (killed, alive)]
    for journal in checkout.kept(numbers[0]).path.glob("jobs/*/journal"):
        os.utime(journal, (0, 0))
    shell_only = checkout.run("other")
    assert shell_only.code == 0
    (warning,) = shell_only.warnings
    assert warning.startswith(f"run {numbers[0]} was killed, or could not clean up; removed now: ")
    assert "1 object of its Docker Engine" in warning
    assert len(made_by(engine_api, checkout)) == 1
    alive.signal(signal.SIGINT)
    assert alive.code == 130
    assert made_by(engine_api, checkout) == []
    assert [checkout.kept(number).engine for number in numbers] == [None, None]
    assert checkout.run("other").warnings == []


def test_an_engine_that_is_away_is_tried_again(checkout: Any) -> None:
    checkout.pipeline("other: {script: [echo]}")
    assert checkout.run().code == 0
    checkout.kept(1).note_engine(Host(f"unix://{checkout.home}/none"))
    for _ in range(2):
        run = checkout.run()
        assert run.code == 0
        assert "is still there" in run.warnings[0]
    checkout.kept(1).forget_engine()
    assert checkout.run().warnings == []
