"""`take` and `stack`: several frames at once, and what came when they don't all come."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable

import numpy as np
import pytest

from odyssey import (
    FrameQueue,
    OdysseyConnectionError,
    OdysseyStreamError,
    OdysseyTimeoutError,
    StreamDurationExceededError,
)
from odyssey.frames.frame import Array
from odyssey.frames.queue import StreamState
from tests.support.helpers import wait_until
from tests.support.pictures import CountingPicture, decoded, frame
from tests.support.queues import LOST, TOO_LONG, indices, live, next_stream, put, waiting


def values(array: Array) -> list[int]:
    """The index that each small frame is painted with."""
    assert (array == array[:, :1, :1, :1]).all()
    return [int(value) for value in array[:, 0, 0, 0]]


def test_take_and_stack() -> None:
    queue = live(6)
    assert indices(queue.take(2)) == [0, 1]
    batch = queue.stack(3)
    assert batch.dtype == np.uint8
    assert batch.shape == (3, 2, 4, 3)
    assert batch.flags.c_contiguous
    assert values(batch) == [2, 3, 4]
    assert len(queue) == 1


def test_stack_is_what_the_frames_are() -> None:
    sources = [decoded(482, 834, seed=n) for n in range(3)]
    queue = live()
    pictures = [CountingPicture(source) for source in sources]
    for picture in pictures:
        queue.put(frame(width=482, height=834, picture=picture))
    batch = queue.stack(3)
    assert np.array_equal(batch, np.stack([s.to_ndarray(format="rgb24") for s in sources]))
    assert [picture.conversions for picture in pictures] == [1, 1, 1]


@pytest.mark.parametrize("n", [-1, -5])
def test_fewer_than_none(n: int) -> None:
    for call in (live(1).take, live(1).stack):
        with pytest.raises(ValueError, match="n must be at least 0"):
            call(n)


@pytest.mark.parametrize("n", ["2", 2.0, True, None])
def test_n_is_a_whole_number(n: object) -> None:
    queue = live(1)
    for call in (queue.take, queue.stack):
        with pytest.raises(TypeError, match="n must be a whole number"):
            call(n)  # type: ignore[arg-type]
    assert len(queue) == 1


def test_none_at_all() -> None:
    queue = live(1)
    assert queue.take(0) == []
    assert queue.stack(0).shape == (0, 0, 0, 3)
    assert len(queue) == 1


# What came, when the stream ends or fails under way.


@pytest.mark.parametrize(
    ("state", "failure"),
    [
        (StreamState.ENDED, None),
        (StreamState.GONE, None),
        (StreamState.FAILED, TOO_LONG),
        (StreamState.FAILED, LOST),
    ],
)
def test_fewer_when_the_stream_is_over(state: StreamState, failure: Exception | None) -> None:
    queue = live(2)
    with waiting(queue, lambda: queue.take(5)) as got:
        queue.set_state(state, failure)
        assert indices(got.result(5)) == [0, 1]
    queue = live(2)
    with waiting(queue, lambda: queue.stack(5)) as stacked:
        queue.set_state(state, failure)
        assert values(stacked.result(5)) == [0, 1]


@pytest.mark.parametrize("call", [lambda q: q.take(3), lambda q: q.stack(3)])
def test_a_failure_is_raised_when_nothing_came(call: Callable[[FrameQueue], object]) -> None:
    queue = live(1)
    queue.set_state(StreamState.FAILED, TOO_LONG)
    call(queue)
    with pytest.raises(StreamDurationExceededError):
        call(queue)
    queue = live(1)
    queue.set_state(StreamState.ENDED)
    call(queue)
    with pytest.raises(OdysseyStreamError) as caught:
        call(queue)
    assert caught.value.reason == "stream_ended"
    queue.set_state(StreamState.GONE)
    with pytest.raises(OdysseyConnectionError):
        call(queue)


@pytest.mark.parametrize("end", [StreamState.ENDED, StreamState.FAILED])
def test_a_batch_is_of_one_stream(end: StreamState) -> None:
    """A subscription keeps what it has when the next stream begins."""
    queue = live(2)
    next_stream(queue, 10, 11, end=end)
    assert indices(queue.take(4)) == [0, 1]
    assert values(queue.stack(2)) == [10, 11]


def test_a_time_out_gives_what_came() -> None:
    queue = live(2)
    with pytest.raises(OdysseyTimeoutError) as caught:
        queue.take(3, timeout=0.02)
    assert indices(caught.value.partial) == [0, 1]
    put(queue, 5)
    with pytest.raises(OdysseyTimeoutError) as caught:
        queue.stack(3, timeout=0.02)
    assert caught.value.partial.shape == (1, 2, 4, 3)
    assert values(caught.value.partial) == [5]
    assert len(queue) == 0


def test_a_time_out_with_nothing() -> None:
    with pytest.raises(OdysseyTimeoutError) as caught:
        live().take(3, timeout=0)
    assert caught.value.partial == []
    with pytest.raises(OdysseyTimeoutError) as caught:
        live().stack(3, timeout=0)
    assert caught.value.partial.shape[0] == 0


# Sizes.


def two_sizes() -> FrameQueue:
    queue = live(2)
    for index in (2, 3):
        queue.put(frame(index, 6, 8))
    return queue


def test_two_sizes_cannot_be_stacked() -> None:
    queue = two_sizes()
    with pytest.raises(OdysseyStreamError, match="frames of two sizes can't be stacked") as caught:
        queue.stack(4)
    assert caught.value.reason == "size_changed"
    assert values(caught.value.partial) == [0, 1]
    assert len(queue) == 2
    assert queue.stack(2).shape == (2, 8, 6, 3)


def test_but_taken() -> None:
    assert [(f.width, f.height) for f in two_sizes().take(4)] == [(4, 2)] * 2 + [(6, 8)] * 2


def test_a_batch_that_ends_before_the_change() -> None:
    queue = two_sizes()
    assert values(queue.stack(2)) == [0, 1]
    assert values(queue.stack(2)) == [2, 3]


# `out`.


def test_stack_into_an_array() -> None:
    out = np.zeros((3, 2, 4, 3), np.uint8)
    assert live(3).stack(3, out=out) is not None
    assert values(out) == [0, 1, 2]
    again = live(3).stack(3, out=out)
    assert np.shares_memory(again, out)
    assert again.shape == out.shape


def test_what_came_is_the_beginning_of_out() -> None:
    queue = live(2)
    queue.set_state(StreamState.ENDED)
    out = np.full((4, 2, 4, 3), 77, np.uint8)
    got = queue.stack(4, out=out)
    assert np.shares_memory(got, out)
    assert values(got) == [0, 1]
    assert (out[2:] == 77).all()


@pytest.mark.parametrize(
    ("out", "error"),
    [
        (np.zeros((2, 2, 4, 3), np.uint8), ValueError),
        (np.zeros((3, 2, 4, 4), np.uint8), ValueError),
        (np.zeros((3, 2, 4), np.uint8), ValueError),
        (np.zeros((3, 2, 4, 3), np.float32), ValueError),
        (np.zeros((3, 2, 8, 3), np.uint8)[:, :, ::2], ValueError),
        (np.zeros((3, 4, 2, 3), np.uint8), ValueError),
        (np.zeros((3, 9, 9, 3), np.uint8), ValueError),
        ([1, 2, 3], TypeError),
        (b"bytes", TypeError),
    ],
)
def test_out_that_does_not_fit_costs_no_frame(out: object, error: type[Exception]) -> None:
    queue = live(3)
    with pytest.raises(error, match="out"):
        queue.stack(3, out=out)  # type: ignore[arg-type]
    assert len(queue) == 3
    assert queue.stats.delivered == 0


# Interrupted.


@pytest.mark.skipif(sys.platform == "win32", reason="signals reach no waiting thread there")
def test_ctrl_c_leaves_the_queue_whole() -> None:
    queue = live(2)

    def interrupt() -> None:
        wait_until(lambda: queue._changed._waiters)  # type: ignore[attr-defined]
        os.kill(os.getpid(), signal.SIGINT)

    for call in (queue.get, lambda: queue.take(3), lambda: queue.stack(3), lambda: list(queue)):
        queue.clear()
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            call()
        thread.join()
        assert not queue._changed._waiters  # type: ignore[attr-defined]
        assert queue._changed.acquire(blocking=False)
        queue._changed.release()
    put(queue, 7)
    assert queue.get(0).index == 7
    stats = queue.stats
    assert stats.received == stats.delivered + stats.skipped
