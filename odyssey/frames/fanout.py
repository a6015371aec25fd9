"""One decoded frame, given to every queue that wants it."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING

from odyssey.frames.queue import FrameQueue, Overflow, StreamState

if TYPE_CHECKING:
    from odyssey.frames.frame import VideoFrame
    from odyssey.frames.live_stream import LiveStream


class FrameFanout:
    """Gives each frame to `client.frames` and to every subscription. Safe between threads."""

    def __init__(self, main: FrameQueue) -> None:
        self.main = main
        # Guards the fields below; frames are handed on outside it.
        self._lock = threading.Lock()
        # Weak: a queue that nobody holds any more has no reader, and needs no frames.
        self._subscriptions: tuple[weakref.ref[FrameQueue], ...] = ()
        self._state = StreamState.OFFLINE
        self._failure: Exception | None = None
        self._stream: LiveStream | None = None

    def subscribe(self, maxsize: int, overflow: Overflow, timeout: float | None) -> FrameQueue:
        """One more queue, in the state that the others are in."""
        queue = FrameQueue(maxsize, overflow, timeout=timeout, on_close=self._forget)
        with self._lock:
            queue.set_state(self._state, self._failure, stream=self._stream)
            self._subscriptions = (*self._held(), weakref.ref(queue))
        return queue

    def put(self, frame: VideoFrame, *, idle: bool) -> None:
        """`idle`: it belongs to no stream, and is only counted."""
        self.main.put(frame, idle=idle)
        for reference in self._subscriptions:
            if (queue := reference()) is not None:
                queue.put(frame, idle=idle)

    def set_state(
        self,
        state: StreamState,
        failure: Exception | None = None,
        *,
        stream: LiveStream | None = None,
    ) -> None:
        """As `FrameQueue.set_state`, for all. A new stream starts with an empty main queue."""
        with self._lock:
            self._state, self._failure, self._stream = state, failure, stream
            clear = state is StreamState.LIVE
            self.main.set_state(state, failure, stream=stream, clear=clear)
            for reference in self._subscriptions:
                if (queue := reference()) is not None:
                    queue.set_state(state, failure, stream=stream)

    def _forget(self, queue: FrameQueue) -> None:
        with self._lock:
            self._subscriptions = tuple(r for r in self._held() if r() is not queue)

    def _held(self) -> Iterator[weakref.ref[FrameQueue]]:
        return (reference for reference in self._subscriptions if reference() is not None)
