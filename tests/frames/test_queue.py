from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from odyssey import (
    FrameQueue,
    OdysseyStreamError,
    OdysseyTimeoutError,
    QueueStats,
    VideoFrame,
)
from odyssey.frames.queue import Overflow, StreamState
from tests.support.queues import LOST, every_read, indices, live, put, waiting

# Bounds and counters.


def test_get_gives_the_oldest() -> None:
    queue = live(3)
    assert [queue.get().index for _ in range(3)] == [0, 1, 2]


def test_drop_oldest() -> None:
    queue = live(5, maxsize=3)
    assert len(queue) == 3
    assert queue.stats == QueueStats(received=5, dropped=2, waiting=3)
    assert indices(queue.take(3)) == [2, 3, 4]


def test_drop_newest() -> None:
    queue = live(5, maxsize=3, overflow="drop_newest")
    assert queue.stats == QueueStats(received=5, dropped=2, waiting=3)
    assert indices(queue.take(3)) == [0, 1, 2]


@pytest.mark.parametrize(("overflow", "kept"), [("drop_oldest", 4), ("drop_newest", 0)])
def test_a_queue_of_one(overflow: Overflow, kept: int) -> None:
    queue = live(5, maxsize=1, overflow=overflow)
    assert queue.stats == QueueStats(received=5, dropped=4, waiting=1)
    assert queue.get().index == kept


def test_latest_skips_the_older_and_counts_them() -> None:
    queue = live(4)
    assert queue.latest().index == 3
    assert queue.stats == QueueStats(received=4, delivered=1, skipped=3)


def test_clear_counts() -> None:
    queue = live(4)
    queue.clear()
    assert queue.stats == QueueStats(received=4, skipped=4)
    with pytest.raises(OdysseyTimeoutError):
        queue.get(0)


def test_the_next_stream_starts_empty_and_counts() -> None:
    queue = live(4)
    queue.set_state(StreamState.LIVE, clear=True)
    put(queue, 9)
    assert queue.get().index == 9
    assert queue.stats == QueueStats(received=5, delivered=1, skipped=4)


@pytest.mark.parametrize(
    "state", [f for f in StreamState if f not in (StreamState.LIVE, StreamState.CLOSED)]
)
def test_frames_without_a_stream_are_only_counted(state: StreamState) -> None:
    queue = FrameQueue()
    queue.set_state(state, LOST if state is StreamState.FAILED else None)
    put(queue, 0, 1)
    assert queue.stats == QueueStats(idle=2)
    assert len(queue) == 0


def test_stats_are_frozen_and_of_their_moment() -> None:
    queue = live(1)
    stats = queue.stats
    queue.get()
    assert stats.waiting == 1
    with pytest.raises(AttributeError):
        stats.waiting = 0  # type: ignore[misc]


@pytest.mark.parametrize("value", [0, -1])
def test_a_queue_holds_at_least_one(value: int) -> None:
    with pytest.raises(ValueError, match="maxsize must be at least 1"):
        FrameQueue(value)


@pytest.mark.parametrize("value", ["5", 5.0, True, None])
def test_maxsize_is_a_whole_number(value: object) -> None:
    with pytest.raises(TypeError, match="maxsize must be a whole number"):
        FrameQueue(value)  # type: ignore[arg-type]


def test_an_overflow_there_is_not() -> None:
    with pytest.raises(ValueError, match="overflow must be 'drop_oldest' or 'drop_newest'"):
        FrameQueue(overflow="block")  # type: ignore[arg-type]


def test_what_it_says_of_itself() -> None:
    assert repr(live(2, maxsize=5)) == "FrameQueue(2 of 5 frames, live)"
    assert FrameQueue(7).maxsize == 7


# Time limits.


@pytest.mark.timing
@every_read
def test_zero_does_not_wait(read: Callable[..., object]) -> None:
    began = time.monotonic()
    with pytest.raises(OdysseyTimeoutError, match="no video frame came in time"):
        read(live(), 0)
    assert time.monotonic() - began < 1
    read(live(1), 0)


@pytest.mark.timing
@every_read
def test_a_time_limit_passes(read: Callable[..., object]) -> None:
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        read(live(), 0.05)
    assert 0.05 <= time.monotonic() - began < 3


@every_read
def test_without_one_the_clients_counts(read: Callable[..., object]) -> None:
    queue = FrameQueue(timeout=0.05)
    queue.set_state(StreamState.LIVE)
    with pytest.raises(OdysseyTimeoutError):
        read(queue, None)
    with pytest.raises(OdysseyTimeoutError):
        queue.read()
    with pytest.raises(OdysseyTimeoutError):
        next(iter(queue))


@every_read
@pytest.mark.parametrize("value", [-1, -0.001, float("nan"), float("-inf")])
def test_time_limits_that_are_none(read: Callable[..., object], value: float) -> None:
    queue = live(1)
    with pytest.raises(ValueError, match="timeout"):
        read(queue, value)
    assert len(queue) == 1


@every_read
@pytest.mark.parametrize("value", ["5", b"", True, [1]])
def test_time_limits_of_wrong_types(read: Callable[..., object], value: object) -> None:
    queue = live(1)
    with pytest.raises(TypeError, match="timeout must be None or a number"):
        read(queue, value)
    assert len(queue) == 1


def test_a_time_limit_beyond_all_timers() -> None:
    queue = live()
    for seconds in (1e300, float("inf")):
        with waiting(queue := live(), lambda q=queue, s=seconds: q.get(s)) as got:  # type: ignore[misc]
            put(queue, 5)
            assert got.result(5).index == 5


def test_a_time_out_before_a_stream_says_so() -> None:
    queue = FrameQueue()
    queue.set_state(StreamState.READY)
    with pytest.raises(OdysseyTimeoutError, match="no stream has been started"):
        queue.get(0)


def test_iteration_waits_anew_for_each_frame() -> None:
    """Each comes well within the limit; all of them together take longer."""
    queue = FrameQueue(timeout=0.6)
    queue.set_state(StreamState.LIVE)

    def send() -> None:
        for index in range(5):
            time.sleep(0.2)
            put(queue, index)
        queue.set_state(StreamState.ENDED)

    thread = threading.Thread(target=send)
    thread.start()
    assert indices(list(queue)) == [0, 1, 2, 3, 4]
    thread.join()


def test_take_has_one_limit_for_all() -> None:
    queue = live()
    over = threading.Event()

    def send() -> None:
        index = 0
        while not over.wait(0.02):
            put(queue, index)
            index += 1

    thread = threading.Thread(target=send)
    thread.start()
    with pytest.raises(OdysseyTimeoutError) as caught:
        queue.take(1000, timeout=0.2)
    over.set()
    thread.join()
    assert 0 < len(caught.value.partial) < 1000


# `read`.


def test_read_is_opencvs() -> None:
    rgb = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    queue = live()
    queue.put(VideoFrame(rgb, 4, 2, 0))
    ok, bgr = queue.read()
    assert ok is True
    assert bgr is not None
    assert np.array_equal(bgr, rgb[:, :, ::-1])
    assert bgr.flags.c_contiguous
    queue.set_state(StreamState.ENDED)
    assert queue.read() == (False, None)


def test_read_waits_for_the_first_stream() -> None:
    queue = FrameQueue(timeout=10)
    queue.set_state(StreamState.READY)
    with waiting(queue, queue.read) as got:
        queue.set_state(StreamState.LIVE)
        put(queue, 1)
        assert got.result(5)[0] is True


# Many threads.


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest"])
def test_no_frame_is_lost_or_doubled_between_threads(overflow: Overflow) -> None:
    queue = live(maxsize=8, overflow=overflow)
    total, seen = 4000, []
    lock = threading.Lock()

    def read(call: Callable[[], list[VideoFrame]]) -> None:
        try:
            while True:
                got = indices(call())
                with lock:
                    seen.extend(got)
        except OdysseyStreamError:
            pass

    calls = [
        lambda: [queue.get()],
        lambda: [queue.latest()],
        lambda: queue.take(3),
        lambda: [queue.get(5)],
    ]
    readers = [threading.Thread(target=read, args=(call,)) for call in calls]
    for thread in readers:
        thread.start()
    halves = [range(0, total, 2), range(1, total, 2)]
    writers = [threading.Thread(target=put, args=(queue, *half)) for half in halves]
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join(20)
    queue.set_state(StreamState.ENDED)
    for thread in readers:
        thread.join(20)
    stats = queue.stats
    assert len(seen) == len(set(seen)) == stats.delivered > 0
    assert stats.received == total == stats.delivered + stats.dropped + stats.skipped
    assert stats.waiting == 0
