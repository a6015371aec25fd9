"""Ends, failures and the next stream: who is woken, what is raised, what is handed out before."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from odyssey import (
    FrameQueue,
    OdysseyConnectionError,
    OdysseyError,
    OdysseyStreamError,
    QueueStats,
    StreamDurationExceededError,
)
from odyssey.frames import queue as frame_queue
from odyssey.frames.queue import StreamState
from tests.support.pictures import frame
from tests.support.queues import (
    LOST,
    TOO_LONG,
    every_read,
    indices,
    live,
    next_stream,
    put,
    waiting,
)


@pytest.fixture(autouse=True)
def no_looking_up_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits is woken, and doesn't find out by himself half a second later."""
    monkeypatch.setattr(frame_queue, "WAIT_SLICE", 60.0)


# Who is woken by what.


@every_read
def test_a_frame_wakes(read: Callable[..., object]) -> None:
    queue = live()
    with waiting(queue, lambda: read(queue, None)) as got:
        put(queue, 7)
        got.result(5)
    assert queue.stats.delivered == 1


@every_read
@pytest.mark.parametrize(
    ("state", "failure", "error", "said"),
    [
        (StreamState.ENDED, None, OdysseyStreamError, "the stream has ended"),
        (StreamState.FAILED, TOO_LONG, StreamDurationExceededError, "over"),
        (StreamState.FAILED, LOST, OdysseyConnectionError, "lost"),
        (StreamState.GONE, None, OdysseyConnectionError, "not connected"),
        (StreamState.CLOSED, None, OdysseyStreamError, "this frame queue was closed"),
    ],
)
def test_the_end_wakes(
    read: Callable[..., object],
    state: StreamState,
    failure: Exception | None,
    error: type[Exception],
    said: str,
) -> None:
    queue = live()
    with waiting(queue, lambda: read(queue, None)) as got:
        queue.set_state(state, failure)
        with pytest.raises(error, match=said):
            got.result(5)


@every_read
def test_before_the_first_start_one_waits(read: Callable[..., object]) -> None:
    queue = FrameQueue(timeout=10)
    queue.set_state(StreamState.READY)
    with waiting(queue, lambda: read(queue, None)) as got:
        queue.set_state(StreamState.LIVE)
        put(queue, 3)
        got.result(5)


def test_closing_wakes_every_waiter() -> None:
    queue = live()
    errors: list[Exception] = []

    def read() -> None:
        try:
            queue.get()
        except OdysseyError as exc:
            errors.append(exc)

    threads = [threading.Thread(target=read) for _ in range(5)]
    for thread in threads:
        thread.start()
    with waiting(queue, queue.read) as got:
        queue.close()
        assert got.result(5) == (False, None)
    for thread in threads:
        thread.join(5)
    assert len(errors) == 5
    assert len({id(e) for e in errors}) == 5


# Ends.


@pytest.mark.timing
@every_read
@pytest.mark.parametrize("state", [StreamState.OFFLINE, StreamState.GONE])
def test_not_connected_raises_at_once(read: Callable[..., object], state: StreamState) -> None:
    queue = FrameQueue(timeout=10)
    queue.set_state(state)
    began = time.monotonic()
    with pytest.raises(OdysseyConnectionError, match=r"not connected; call connect\(\)"):
        read(queue, None)
    assert time.monotonic() - began < 3


def test_a_queue_that_was_never_connected_cannot_be_iterated() -> None:
    with pytest.raises(OdysseyConnectionError):
        list(FrameQueue())
    with pytest.raises(OdysseyConnectionError):
        FrameQueue().read()


@pytest.mark.parametrize("state", [StreamState.ENDED, StreamState.GONE, StreamState.FAILED])
def test_what_waits_is_handed_out_before_the_end(state: StreamState) -> None:
    for read in (
        lambda q: indices(q.take(5)),
        lambda q: [q.get().index for _ in range(3)],
        lambda q: [f.index for _, f in zip(range(3), q, strict=False)],
        lambda q: list(q.stack(5)[:, 0, 0, 0]),
    ):
        queue = live(3)
        queue.set_state(state, LOST if state is StreamState.FAILED else None)
        assert read(queue) == [0, 1, 2]
        with pytest.raises((OdysseyConnectionError, OdysseyStreamError)):
            queue.get()


def test_iteration_stops_at_a_clean_end() -> None:
    for state in (StreamState.ENDED, StreamState.GONE):
        queue = live(3)
        queue.set_state(state)
        assert indices(list(queue)) == [0, 1, 2]
        assert list(queue) == []
        assert queue.read() == (False, None)
        queue = live()
        with waiting(queue, lambda q=queue: list(q)) as got:  # type: ignore[misc]
            queue.set_state(state)
            assert got.result(5) == []


def test_iteration_raises_a_failure_after_what_waits() -> None:
    queue = live(2)
    queue.set_state(StreamState.FAILED, TOO_LONG)
    seen: list[int] = []
    with pytest.raises(StreamDurationExceededError, match="over"):
        seen.extend(frame.index for frame in queue)
    assert seen == [0, 1]
    with pytest.raises(StreamDurationExceededError):
        queue.read()


def test_a_failure_is_raised_anew_each_time() -> None:
    """One error in several threads would mix up their tracebacks."""
    queue = live()
    failure = OdysseyConnectionError("lost", reason="streamer_disconnected")
    failure.__cause__ = OSError("cable")
    queue.set_state(StreamState.FAILED, failure)
    raised = []
    for _ in range(2):
        with pytest.raises(OdysseyConnectionError) as caught:
            queue.get()
        raised.append(caught.value)
    assert raised[0] is not raised[1]
    assert failure not in raised
    assert all(e.reason == "streamer_disconnected" for e in raised)
    assert all(e.__cause__ is failure.__cause__ for e in raised)


def test_after_the_next_start_one_reads_on() -> None:
    queue = live()
    queue.set_state(StreamState.ENDED)
    with pytest.raises(OdysseyStreamError) as caught:
        queue.get()
    assert caught.value.reason == "stream_ended"
    queue.set_state(StreamState.LIVE)
    put(queue, 5)
    assert queue.get().index == 5


def test_a_closed_queue() -> None:
    closed: list[FrameQueue] = []
    queue = live(3, on_close=closed.append)
    queue.close()
    queue.close()
    assert closed[0] is queue
    put(queue, 9)
    queue.set_state(StreamState.LIVE)
    assert queue.stats == QueueStats(received=3, skipped=3)
    with pytest.raises(OdysseyStreamError) as caught:
        queue.get()
    assert caught.value.reason == "queue_closed"
    assert list(queue) == []
    assert queue.read() == (False, None)


def test_leaving_the_with_block_closes() -> None:
    with live(1) as queue:
        assert queue.get().index == 0
    assert "closed" in repr(queue)


# Iteration is bound to its stream.


def test_iteration_ends_with_its_stream_even_if_the_next_has_begun() -> None:
    queue = live(2)
    reader = iter(queue)
    assert next(reader).index == 0
    next_stream(queue, 10, 11)
    assert indices(list(reader)) == [1]
    assert len(queue) == 2
    assert next(iter(queue)).index == 10


def test_a_waiting_iteration_leaves_the_next_streams_frames_alone() -> None:
    """All at once, so that its thread sees the next stream's frame only."""
    queue = live()
    with waiting(queue, lambda: list(queue)) as got:
        with queue._changed:
            queue._state = StreamState.ENDED
            queue._stream = type(queue._stream)()
            queue._state = StreamState.LIVE
            queue._frames.append((queue._stream, frame(10)))
            queue._changed.notify_all()
        assert got.result(5) == []
        assert queue.get().index == 10


def test_an_iteration_that_is_over_stays_over() -> None:
    queue = live(1)
    reader = iter(queue)
    queue.set_state(StreamState.ENDED)
    assert indices(list(reader)) == [0]
    next_stream(queue, 10)
    assert list(reader) == []


def test_a_fresh_iteration_after_the_end_stays_over_too() -> None:
    queue = live()
    queue.set_state(StreamState.ENDED)
    reader = iter(queue)
    assert list(reader) == []
    next_stream(queue, 10)
    assert list(reader) == []


def test_iteration_raises_its_streams_failure_even_if_the_next_has_begun() -> None:
    queue = live(2)
    reader = iter(queue)
    next(reader)
    next_stream(queue, 10, end=StreamState.FAILED)
    assert next(reader).index == 1
    with pytest.raises(OdysseyConnectionError, match="lost"):
        next(reader)


@pytest.mark.parametrize("state", [StreamState.READY, StreamState.LIVE])
def test_a_new_connection_does_not_hide_the_failure(state: StreamState) -> None:
    queue = live(1)
    reader = iter(queue)
    next(reader)
    queue.set_state(StreamState.FAILED, LOST)
    queue.set_state(state)
    with pytest.raises(OdysseyConnectionError, match="lost"):
        next(reader)


def test_a_connection_lost_after_the_streams_end_is_not_its_failure() -> None:
    queue = live(2)
    reader = iter(queue)
    next(reader)
    queue.set_state(StreamState.ENDED)
    queue.set_state(StreamState.FAILED, LOST)
    assert indices(list(reader)) == [1]
    with pytest.raises(OdysseyConnectionError):
        list(queue)


def test_iteration_from_before_the_start() -> None:
    queue = FrameQueue(timeout=10)
    queue.set_state(StreamState.READY)
    with waiting(queue, lambda: list(queue)) as got:
        queue.set_state(StreamState.LIVE)
        put(queue, 0, 1)
        queue.set_state(StreamState.ENDED)
        assert indices(got.result(5)) == [0, 1]


def test_two_iterations_share_the_frames() -> None:
    queue = live(4)
    one, two = iter(queue), iter(queue)
    assert [next(one).index, next(two).index, next(one).index, next(two).index] == [0, 1, 2, 3]
