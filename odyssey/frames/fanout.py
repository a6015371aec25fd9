"""Hands each decoded frame to every queue."""

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
    """Hands each frame to `client.frames` and to every subscription. Safe to use in any thread."""

    def __init__(self, main: FrameQueue) -> None:
        self.main = main
        # Guards the fields below. Not held while frames are handed on.
        self._lock = threading.Lock()
        # Weak references: a queue that nobody refers to has no reader, and needs no frames.
        self._subscriptions: tuple[weakref.ref[FrameQueue], ...] = ()
        self._state = StreamState.OFFLINE
        self._failure: Exception | None = None
        self._stream: LiveStream | None = None

    def subscribe(self, maxsize: int, overflow: Overflow, timeout: float | None) -> FrameQueue:
        """Makes one more queue, in the state of the others."""
        queue = FrameQueue(maxsize, overflow, timeout=timeout, on_close=self._forget)
        with self._lock:
            queue.set_state(self._state, self._failure, stream=self._stream)
            self._subscriptions = (*self._held(), weakref.ref(queue))
        return queue

    def put(self, frame: VideoFrame, *, idle: bool) -> None:
        """Hands a frame to every queue; an `idle` one belongs to no stream and is only counted."""
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
        """Sets the state of every queue, and empties the main one when a new stream starts."""
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
