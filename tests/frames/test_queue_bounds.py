"""What a queue holds is bounded, and its counters can be read anywhere."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import weakref

import numpy as np
import pytest

from odyssey import OdysseyConnectionError, QueueStats, VideoFrame
from odyssey.frames.frame import ArrayPicture
from odyssey.frames.queue import Overflow, StreamState
from tests.support.queues import indices, live, put

SIDE = 8192  # 201 MB as RGB; the pages of a picture that is all zero are never touched


def large(index: int) -> VideoFrame:
    picture = ArrayPicture(np.zeros((SIDE, SIDE, 3), np.uint8))
    return VideoFrame(picture, SIDE, SIDE, timestamp_ms=0, index=index, received_at=0.0)


@pytest.mark.parametrize(
    ("maxsize", "overflow", "kept"),
    [
        (32, "drop_oldest", [4, 5]),
        (32, "drop_newest", [0, 1]),
        (256, "drop_oldest", [1, 2, 3, 4, 5]),
    ],
)
def test_pictures_are_bounded_in_bytes(maxsize: int, overflow: Overflow, kept: list[int]) -> None:
    """512 MB, or 4 MB for each of `maxsize`."""
    queue = live(0, maxsize=maxsize, overflow=overflow)
    for index in range(6):
        queue.put(large(index))
    assert queue.stats == QueueStats(received=6, dropped=6 - len(kept), waiting=len(kept))
    assert indices(queue.take(len(kept))) == kept


def test_room_comes_back() -> None:
    queue = live(0)
    for index in range(2):
        queue.put(large(index))
    queue.clear()
    for index in range(2):
        queue.put(large(index))
    assert queue.get().index == 0
    queue.put(large(2))
    assert queue.stats == QueueStats(received=5, delivered=1, skipped=2, waiting=2)


def test_failures_of_streams_that_are_over_are_let_go() -> None:
    queue = live(1)
    failures = []
    for _ in range(50):
        failure = OdysseyConnectionError("lost")
        failures.append(weakref.ref(failure))
        queue.set_state(StreamState.FAILED, failure)
        queue.set_state(StreamState.LIVE, clear=True)
        put(queue, 0)
        del failure
    gc.collect()
    assert [failure() for failure in failures] == [None] * 50


def test_but_not_while_somebody_reads_that_stream() -> None:
    queue = live(2)
    frames = iter(queue)
    assert next(frames).index == 0
    queue.set_state(StreamState.FAILED, OdysseyConnectionError("lost"))
    queue.set_state(StreamState.LIVE)
    gc.collect()
    assert next(frames).index == 1
    with pytest.raises(OdysseyConnectionError, match="lost"):
        next(frames)


def test_stack_gives_the_array_that_it_filled() -> None:
    queue = live(5)
    shape = (3, *queue.get().data.shape)
    out = np.empty(shape, np.uint8)
    assert queue.stack(3, out=out) is out
    queue.set_state(StreamState.ENDED)
    came = queue.stack(3, out=out)
    assert (len(came), came.base is out) == (1, True)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX signals")
def test_fault_a_signal_comes_while_the_lock_is_held() -> None:
    """Its handler reads the counters in the very thread that waits in, or leaves, `get`."""
    script = """
import signal, threading
import numpy as np
from odyssey import Odyssey, VideoFrame
from odyssey.frames.frame import ArrayPicture
from odyssey.frames.queue import StreamState

client = Odyssey("ody_key", api_url="http://127.0.0.1:9")
queue = client.frames
queue.set_state(StreamState.LIVE)
picture = ArrayPicture(np.zeros((2, 2, 3), np.uint8))
seen, enough = [], threading.Event()

def read(number, frame):
    seen.append((client.stats.frames.received, queue.stats.waiting, len(queue), repr(queue)))
    if len(seen) >= 300:
        enough.set()
    else:
        signal.setitimer(signal.ITIMER_REAL, 0.001)

def come():
    index = 0
    while not enough.wait(0.0002):
        queue.put(VideoFrame(picture, 2, 2, timestamp_ms=0, index=index, received_at=0.0))
        index += 1
    queue.set_state(StreamState.ENDED)

signal.signal(signal.SIGALRM, read)
thread = threading.Thread(target=come)
thread.start()
signal.setitimer(signal.ITIMER_REAL, 0.001)
count = sum(1 for _ in queue)
thread.join()
print(count == queue.stats.delivered, len(seen) >= 300)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["True", "True"]
