"""One decoded frame, given to every queue that wants it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from odyssey.frame_queue import Feed, FrameQueue, Overflow

if TYPE_CHECKING:
    from odyssey.frames import VideoFrame


class FrameFanout:
    """Gives each frame to `client.frames` and to every subscription. Safe between threads."""

    def __init__(self, main: FrameQueue) -> None:
        self.main = main
        # Guards `_subscriptions`, `_feed` and `_failure`; frames are handed on outside it.
        self._lock = threading.Lock()
        self._subscriptions: tuple[FrameQueue, ...] = ()
        self._feed = Feed.OFFLINE
        self._failure: Exception | None = None

    def subscribe(self, maxsize: int, overflow: Overflow, timeout: float | None) -> FrameQueue:
        """One more queue, in the state that the others are in."""
        queue = FrameQueue(maxsize, overflow, timeout=timeout, on_close=self._forget)
        with self._lock:
            queue.feed(self._feed, self._failure)
            self._subscriptions += (queue,)
        return queue

    def put(self, frame: VideoFrame, *, idle: bool) -> None:
        """`idle`: it belongs to no stream, and is only counted."""
        for queue in (self.main, *self._subscriptions):
            queue.put(frame, idle=idle)

    def feed(self, feed: Feed, failure: Exception | None = None) -> None:
        """As `FrameQueue.feed`, for all. A new stream starts with an empty main queue."""
        with self._lock:
            self._feed, self._failure = feed, failure
            self.main.feed(feed, failure, clear=feed is Feed.LIVE)
            for queue in self._subscriptions:
                queue.feed(feed, failure)

    def _forget(self, queue: FrameQueue) -> None:
        with self._lock:
            self._subscriptions = tuple(q for q in self._subscriptions if q is not queue)
