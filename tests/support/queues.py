"""What tests of frame queues share."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import pytest

from odyssey import FrameQueue, OdysseyConnectionError, VideoFrame
from odyssey.errors import error_from_stream_reason
from odyssey.frames.queue import StreamState
from tests.support.helpers import wait_until
from tests.support.pictures import frame

T = TypeVar("T")

TOO_LONG = error_from_stream_reason("session_timeout", "over", "the stream failed")
LOST = OdysseyConnectionError("lost")

READS: dict[str, Callable[[FrameQueue, float | None], object]] = {
    "get": lambda queue, timeout: queue.get(timeout),
    "latest": lambda queue, timeout: queue.latest(timeout),
    "take": lambda queue, timeout: queue.take(1, timeout),
    "stack": lambda queue, timeout: queue.stack(1, timeout),
}


every_read = pytest.mark.parametrize("read", READS.values(), ids=READS)


def next_stream(queue: FrameQueue, *first: int, end: StreamState = StreamState.ENDED) -> None:
    queue.set_state(end, LOST if end is StreamState.FAILED else None)
    if end is not StreamState.ENDED:
        queue.set_state(StreamState.READY)
    queue.set_state(StreamState.LIVE)
    put(queue, *first)


def live(count: int = 0, maxsize: int = 32, **given: object) -> FrameQueue:
    """A queue of a running stream, with so many frames in it."""
    queue = FrameQueue(maxsize, timeout=10, **given)  # type: ignore[arg-type]
    queue.set_state(StreamState.LIVE)
    put(queue, *range(count))
    return queue


def put(queue: FrameQueue, *indices: int) -> None:
    for index in indices:
        queue.put(frame(index))


def indices(frames: list[VideoFrame]) -> list[int]:
    return [f.index for f in frames]


@contextlib.contextmanager
def waiting(queue: FrameQueue, call: Callable[[], T]) -> Iterator[Future[T]]:
    """Runs `call` in a thread; the body runs when it waits on the queue."""
    with ThreadPoolExecutor(1, "reader") as pool:
        future = pool.submit(call)
        try:
            wait_until(lambda: future.done() or queue._changed._waiters)  # type: ignore[attr-defined]
            assert not future.done(), "it should have waited"
            yield future
        finally:
            queue.set_state(StreamState.CLOSED)  # whatever happened: nobody waits on
