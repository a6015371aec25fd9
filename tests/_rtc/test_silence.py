"""When video has stopped coming."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine

import attrs
import pytest

from odyssey._rtc import silence
from odyssey._rtc.silence import SilenceWatch
from odyssey.config import DEFAULT_FRAME_TIMEOUT

pytestmark = pytest.mark.timing

PATIENCE = 0.2


@attrs.define
class Watched:
    """What the watch hears, and what it says."""

    heard_at: float | None = None
    lost: list[str] = attrs.field(factory=list)

    def watch(self, patience: float | None = PATIENCE) -> SilenceWatch:
        return SilenceWatch(patience, lambda: self.heard_at, self.lost.append)

    def hear(self) -> None:
        self.heard_at = time.monotonic()


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


def run(scene: Coroutine[object, object, None]) -> None:
    asyncio.run(scene)


def test_it_speaks_once_when_nothing_came_for_as_long_as_it_waits() -> None:
    async def scene() -> None:
        watched = Watched()
        watched.hear()
        watch = watched.watch()
        watch.start()
        began = time.monotonic()
        await until(lambda: watched.lost)
        assert time.monotonic() - began >= PATIENCE * 0.9
        await asyncio.sleep(2 * PATIENCE)
        assert len(watched.lost) == 1
        assert watched.lost[0].startswith("no video came for 0.2")

    run(scene())


@pytest.mark.slow
def test_by_default_a_pause_of_2_6_s_is_survived_and_one_of_3_is_not() -> None:
    assert DEFAULT_FRAME_TIMEOUT + silence.LONGEST_INTERVAL < 3

    async def scene() -> None:
        watched = Watched()
        watched.hear()
        watch = watched.watch(DEFAULT_FRAME_TIMEOUT)
        watch.start()
        await asyncio.sleep(2.6)
        assert not watched.lost
        watched.hear()
        began = time.monotonic()
        await until(lambda: watched.lost)
        assert 2.7 < time.monotonic() - began < 3.5  # on a busy machine

    run(scene())


def test_it_is_silent_while_something_comes_and_after_its_end() -> None:
    async def scene() -> None:
        watched = Watched()
        watch = watched.watch()
        watch.start()
        for _ in range(20):
            watched.hear()
            await asyncio.sleep(PATIENCE / 5)
        watch.stop()
        watch.stop()
        await asyncio.sleep(2 * PATIENCE)
        assert not watched.lost

    run(scene())


def test_it_can_be_off() -> None:
    async def scene() -> None:
        watched = Watched()
        watched.watch(None).start()
        await asyncio.sleep(2 * PATIENCE)
        assert not watched.lost

    run(scene())


@pytest.mark.parametrize("before", [None, -60.0])
def test_the_first_video_may_take_longer(
    monkeypatch: pytest.MonkeyPatch, before: float | None
) -> None:
    monkeypatch.setattr(silence, "FIRST_VIDEO", 5 * PATIENCE)

    async def scene() -> None:
        watched = Watched(None if before is None else time.monotonic() + before)
        watch = watched.watch()
        watch.start()
        await asyncio.sleep(3 * PATIENCE)
        assert not watched.lost
        watched.hear()
        began = time.monotonic()
        await until(lambda: watched.lost)
        assert time.monotonic() - began < 4 * PATIENCE  # the others may not

    run(scene())


def test_a_process_that_was_stopped_listens_again_first() -> None:
    async def scene() -> None:
        watched = Watched()
        watched.hear()
        watch = watched.watch()
        watch.start()
        await asyncio.sleep(PATIENCE / 2)
        time.sleep(5 * PATIENCE)  # noqa: ASYNC251 - the loop stands still
        await asyncio.sleep(PATIENCE / 8)
        assert not watched.lost
        await until(lambda: watched.lost)

    run(scene())
