"""The owner of tasks: failures are told, the cancelled are silent, and all are waited for."""

from __future__ import annotations

import asyncio

import pytest

from odyssey._runtime.tasks import Tasks


def test_a_failure_is_logged_and_told(caplog: pytest.LogCaptureFixture) -> None:
    failure = ValueError("mine")

    async def fails() -> None:
        raise failure

    async def scenario() -> None:
        told: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
        tasks = Tasks(told.set_result)
        tasks.spawn(fails())
        assert await asyncio.wait_for(told, 5) is failure
        await tasks.cancel()

    asyncio.run(scenario())
    (record,) = (r for r in caplog.records if r.name == "odyssey._runtime.tasks")
    assert record.levelname == "ERROR"
    assert record.exc_info is not None
    assert record.exc_info[1] is failure


def test_those_that_end_or_are_cancelled_have_not_failed(caplog: pytest.LogCaptureFixture) -> None:
    told: list[Exception] = []
    said: list[str] = []

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            said.append("cleaned up")

    async def scenario() -> None:
        tasks = Tasks(told.append)
        tasks.spawn(asyncio.sleep(0))
        tasks.spawn(waits())
        await asyncio.sleep(0)
        await tasks.cancel()
        assert said == ["cleaned up"]
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(scenario())
    assert told == []
    assert caplog.text == ""


def test_one_that_will_not_end_is_not_waited_for_any_longer() -> None:
    async def scenario() -> None:
        over = asyncio.Event()

        async def stubborn() -> None:
            while not over.is_set():
                try:
                    await over.wait()
                except asyncio.CancelledError:
                    continue

        tasks = Tasks(lambda _: None)
        tasks.spawn(stubborn())
        await asyncio.sleep(0)
        await asyncio.wait_for(tasks.cancel(0.05), 5)
        over.set()
        await tasks.cancel()

    asyncio.run(scenario())


def test_a_task_that_ends_the_others_does_not_wait_for_itself() -> None:
    async def scenario() -> None:
        tasks, done = Tasks(lambda _: None), asyncio.Event()

        async def ends_all() -> None:
            await tasks.cancel()
            done.set()

        tasks.spawn(asyncio.sleep(60))
        tasks.spawn(ends_all())
        await asyncio.wait_for(done.wait(), 5)

    asyncio.run(scenario())


def test_a_guarded_callback_fails_as_a_task_does(caplog: pytest.LogCaptureFixture) -> None:
    told: list[Exception] = []

    def divide(a: int, b: int) -> None:
        told.append(ValueError(str(a // b)))

    divide_guarded = Tasks(told.append).guarded(divide)
    divide_guarded(6, b=2)
    divide_guarded(6, b=0)
    assert [type(exc) for exc in told] == [ValueError, ZeroDivisionError]
    assert "ZeroDivisionError" in caplog.text
