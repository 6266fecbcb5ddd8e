"""Which executor a job gets."""

import asyncio
from typing import Literal

import msgspec
import pytest

from tracekeeper.engine.host import Host
from tracekeeper.local.executors import Choice, ExecutorChoice, Wanted, shortcomings
from tracekeeper.protocol.payload import ImageSpec, JobInfo, JobPayload

PLAIN = JobPayload(1, "t", JobInfo(1, "job", "test"), (), ())
IMAGE = JobPayload(1, "t", JobInfo(1, "job", "test"), (), (), image=ImageSpec("alpine"))


def choose(wanted: Wanted, *payloads: JobPayload) -> list[Choice]:
    async def main() -> list[Choice]:
        choice = ExecutorChoice(wanted, Host("unix:///e"))
        return list(await asyncio.gather(*map(choice.choose, payloads)))

    return asyncio.run(main())


def answer(monkeypatch: pytest.MonkeyPatch, refusal: str | None) -> list[Host]:
    asked: list[Host] = []

    async def answers(url: Host) -> str | None:
        asked.append(url)
        await asyncio.sleep(0)
        return refusal

    monkeypatch.setattr("tracekeeper.engine.client.answers", answers)
    return asked


@pytest.mark.parametrize("wanted", ["shell", "docker"])
def test_what_was_asked_for(wanted: Literal["shell", "docker"]) -> None:
    assert (
        choose(wanted, PLAIN, IMAGE)
        == [Choice(wanted, "asked for with --executor", asked=True)] * 2
    )


def test_without_an_image_no_engine_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answer(monkeypatch, None)
    assert choose("auto", PLAIN) == [Choice("shell", "the job names no image")]
    assert asked == []


def test_an_engine_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answer(monkeypatch, None)
    expected = Choice("docker", "an engine answers at unix:///e")
    assert choose("auto", IMAGE, IMAGE, IMAGE) == [expected] * 3
    assert asked == [Host("unix:///e")]


def test_no_engine_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, "nobody is there")
    assert choose("auto", IMAGE) == [Choice("shell", "nobody is there")]


def test_who_names_an_engine_wants_it_whether_it_answers_or_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = answer(monkeypatch, "nobody is there")

    async def main() -> list[Choice]:
        choice = ExecutorChoice("auto", Host("tcp://e"), named_by="--docker-host")
        return [await choice.choose(PLAIN), await choice.choose(IMAGE)]

    assert asyncio.run(main()) == [
        Choice("shell", "the job names no image"),
        Choice("docker", "the engine was named by --docker-host", asked=True),
    ]
    assert asked == []


def test_what_a_job_does_not_get_in_a_shell_is_told() -> None:
    payload = msgspec.structs.replace(IMAGE, services=(ImageSpec("redis"), ImageSpec("db")))
    assert list(shortcomings(Choice("shell", "no engine answers"), payload)) == [
        (
            "job runs on this machine, not in alpine: no engine answers; `--executor docker` "
            "insists on a container, `tracekeeper engine check` says what is wrong"
        ),
        "job runs without its services (redis, db): the shell executor has none",
    ]
    assert list(shortcomings(Choice("shell", "wanted", asked=True), IMAGE)) == []
    assert list(shortcomings(Choice("docker", "it answers"), payload)) == []
