from __future__ import annotations

import gc
import threading

import pytest

from odyssey import FrameQueue, OdysseyConnectionError, OdysseyStreamError, QueueStats
from odyssey.frames.fanout import FrameFanout
from odyssey.frames.queue import StreamState
from tests.support.pictures import CountingPicture, decoded, frame
from tests.support.queues import LOST


def fanout() -> FrameFanout:
    return FrameFanout(FrameQueue(4, timeout=10))


def put(many: FrameFanout, *indices: int) -> None:
    for index in indices:
        many.put(frame(index), idle=False)


def test_each_subscription_gets_every_frame() -> None:
    many = fanout()
    one, two = many.subscribe(10, "drop_oldest", 1.0), many.subscribe(2, "drop_newest", 1.0)
    many.set_state(StreamState.LIVE)
    put(many, *range(6))
    assert [f.index for f in one.take(6)] == [0, 1, 2, 3, 4, 5]
    assert [f.index for f in two.take(2)] == [0, 1]
    assert [f.index for f in many.main.take(4)] == [2, 3, 4, 5]
    assert two.stats.dropped == 4


def test_subscriptions_share_one_picture_and_one_conversion() -> None:
    many = fanout()
    queues = [many.main, *(many.subscribe(5, "drop_oldest", 1.0) for _ in range(3))]
    many.set_state(StreamState.LIVE)
    picture = CountingPicture(decoded())
    many.put(frame(width=64, height=48, picture=picture), idle=False)
    arrays = [queue.get().data for queue in queues]
    assert all(array is arrays[0] for array in arrays)
    assert picture.conversions == 1


@pytest.mark.parametrize("state", list(StreamState)[:-1])
def test_a_late_subscription_is_in_the_state_of_the_others(state: StreamState) -> None:
    many = fanout()
    many.set_state(state, LOST if state is StreamState.FAILED else None)
    late = many.subscribe(5, "drop_oldest", 0.01)
    put(many, 1)
    for queue in (late, many.main):
        if state is StreamState.LIVE:
            assert queue.get(0).index == 1
            continue
        with pytest.raises((OdysseyConnectionError, OdysseyStreamError)) as caught:
            queue.get(0)
        assert (str(caught.value) == "lost") == (state is StreamState.FAILED)
    assert late.stats == many.main.stats


def test_idle_frames_are_only_counted_in_all() -> None:
    many = fanout()
    queue = many.subscribe(5, "drop_oldest", 1.0)
    many.set_state(StreamState.LIVE)
    many.put(frame(), idle=True)
    assert queue.stats == many.main.stats == QueueStats(idle=1)


def test_a_new_stream_starts_with_an_empty_main_queue_only() -> None:
    many = fanout()
    queue = many.subscribe(5, "drop_oldest", 1.0)
    many.set_state(StreamState.LIVE)
    put(many, 0, 1)
    many.set_state(StreamState.ENDED)
    many.set_state(StreamState.LIVE)
    assert len(many.main) == 0
    assert len(queue) == 2


def test_a_closed_subscription_is_forgotten() -> None:
    many = fanout()
    queue, other = (many.subscribe(5, "drop_oldest", 1.0) for _ in range(2))
    many.set_state(StreamState.LIVE)
    queue.close()
    put(many, 0)
    assert queue.stats.received == 0
    assert other.get(0).index == 0
    gc.collect()
    assert not [r for r in gc.get_referrers(queue) if isinstance(r, tuple) and other in r]


def test_a_failure_reaches_all() -> None:
    many = fanout()
    queue = many.subscribe(5, "drop_oldest", 1.0)
    many.set_state(StreamState.LIVE)
    many.set_state(StreamState.FAILED, LOST)
    for each in (queue, many.main):
        with pytest.raises(OdysseyConnectionError, match="lost"):
            each.get(0)


def test_subscribing_and_closing_while_frames_come() -> None:
    many = fanout()
    many.set_state(StreamState.LIVE)
    over = threading.Event()
    count = 0

    def send() -> None:
        nonlocal count
        while not over.is_set():
            put(many, count)
            count += 1

    thread = threading.Thread(target=send)
    thread.start()
    for _ in range(100):
        with many.subscribe(3, "drop_oldest", 5.0) as queue:
            first, second = queue.take(2)
            assert second.index > first.index
    over.set()
    thread.join()
    assert many.main.stats.received == count
