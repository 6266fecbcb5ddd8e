import asyncio

import pytest

from tracekeeper.engine.tasks import Backoff, end, first, in_thread, to_its_end


def test_a_cancellation_waits_for_the_end() -> None:
    made: list[int] = []

    async def work(gate: asyncio.Event) -> None:
        await gate.wait()
        made.append(1)

    async def main() -> None:
        gate = asyncio.Event()
        task = asyncio.create_task(to_its_end(work(gate)))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        gate.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert made == [1]
        gate.set()
        await to_its_end(work(gate))

    asyncio.run(main())


def test_the_first_to_end_cancels_the_others() -> None:
    async def forever() -> str:
        await asyncio.Event().wait()
        return "never"

    async def soon() -> str:
        return "soon"

    async def failing() -> str:
        raise ValueError("failed")

    async def main() -> None:
        assert await first(forever(), soon()) == "soon"
        with pytest.raises(ValueError, match="failed"):
            await first(forever(), failing())
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


def test_end_waits_for_tasks_that_are_slow_to_go() -> None:
    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)

    async def main() -> None:
        task = asyncio.create_task(slow())
        await asyncio.sleep(0)
        await end(task)
        assert task.cancelled()

    asyncio.run(main())


async def forever(backoff: Backoff, error: OSError) -> None:
    while True:
        await backoff.pause(error)


def test_backoff_pauses_longer_and_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += seconds

    monkeypatch.setattr("tracekeeper.engine.tasks.asyncio.sleep", sleep)
    monkeypatch.setattr("tracekeeper.engine.tasks.time.monotonic", lambda: now[0])

    async def main() -> None:
        backoff = Backoff(3.0)
        error = OSError("gone")
        await backoff.pause(error)
        await backoff.pause()
        backoff.reset()
        with pytest.raises(OSError, match="gone"):
            await forever(backoff, error)

    asyncio.run(main())
    assert pauses[:4] == [0.02, 0.04, 0.02, 0.04]
    assert max(pauses) == 1.0
    assert 3.0 < sum(pauses[2:]) < 5.0


@pytest.mark.parametrize(("lasts", "attempts"), [(0.5, 4), (2.5, 20)])
def test_backoff_gives_up_where_no_attempt_lasts(
    monkeypatch: pytest.MonkeyPatch, lasts: float, attempts: int
) -> None:
    now = [100.0]

    async def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr("tracekeeper.engine.tasks.asyncio.sleep", sleep)
    monkeypatch.setattr("tracekeeper.engine.tasks.time.monotonic", lambda: now[0])

    async def main() -> int:
        backoff = Backoff(2.0)
        for attempt in range(20):
            backoff.stand()
            now[0] += lasts
            backoff.stand()
            try:
                await backoff.pause(OSError("gone"))
            except OSError:
                return attempt
        return 20

    assert asyncio.run(main()) == attempts


def test_any_number_of_cancellations_wait() -> None:
    async def main() -> list[str]:
        done: list[str] = []
        go = asyncio.Event()

        async def work() -> None:
            await go.wait()
            done.append("made")

        task = asyncio.create_task(to_its_end(work()))
        for _ in range(5):
            await asyncio.sleep(0)
            task.cancel()
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        return done

    assert asyncio.run(main()) == ["made"]


def test_a_thread_is_waited_for() -> None:
    assert asyncio.run(in_thread(divmod, 7, 2)) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(in_thread(divmod, 7, 0))


@pytest.mark.parametrize("cancellations", [1, 3])
def test_what_does_not_end_is_cancelled_after_a_while(cancellations: int) -> None:
    async def main() -> None:
        ended = asyncio.Event()

        async def unanswered() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        task = asyncio.create_task(to_its_end(unanswered(), within=0.01))
        for _ in range(cancellations):
            await asyncio.sleep(0)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended.is_set()

    asyncio.run(main())


def test_no_time_passes_without_a_cancellation() -> None:
    async def main() -> str:
        async def slow() -> str:
            await asyncio.sleep(0.02)
            return "made"

        return await to_its_end(slow(), within=0.0)

    assert asyncio.run(main()) == "made"


def test_a_cancellation_counts_more_than_a_failure() -> None:
    async def main() -> None:
        go = asyncio.Event()

        async def failing() -> None:
            await go.wait()
            raise OSError("refused")

        task = asyncio.create_task(to_its_end(failing(), within=60.0))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
