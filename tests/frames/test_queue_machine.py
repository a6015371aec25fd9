"""A frame queue under any sequence of calls, against a naive model of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from odyssey import (
    FrameQueue,
    OdysseyConnectionError,
    OdysseyError,
    OdysseyStreamError,
    OdysseyTimeoutError,
    QueueStats,
    VideoFrame,
)
from odyssey.frames.queue import Overflow, StreamState
from tests.support.pictures import frame
from tests.support.queues import LOST, TOO_LONG, indices


class Queue(RuleBasedStateMachine):
    """`waiting` is what the contract says is in the queue: each frame's stream and index."""

    def __init__(self) -> None:
        super().__init__()
        self.stream = self.index = 0
        self.state = StreamState.OFFLINE
        self.waiting: list[tuple[int, int]] = []
        self.delivered: list[int] = []
        self.stats = {"received": 0, "dropped": 0, "skipped": 0, "idle": 0}

    @initialize(size=st.integers(1, 4), overflow=st.sampled_from(["drop_oldest", "drop_newest"]))
    def make(self, size: int, overflow: Overflow) -> None:
        self.size, self.overflow = size, overflow
        self.queue = FrameQueue(size, overflow, timeout=0)

    @rule(idle=st.sampled_from([False, False, False, True]))
    def put(self, idle: bool) -> None:
        self.queue.put(frame(self.index), idle=idle)
        if self.state is not StreamState.CLOSED:
            counted = "idle" if idle or self.state is not StreamState.LIVE else "received"
            self.stats[counted] += 1
            if counted == "received":
                self.waiting.append((self.stream, self.index))
            if len(self.waiting) > self.size:
                self.stats["dropped"] += 1
                del self.waiting[0 if self.overflow == "drop_oldest" else -1]
        self.index += 1

    @rule(
        state=st.sampled_from(
            [StreamState.LIVE] * 4 + [f for f in StreamState if f is not StreamState.CLOSED]
        ),
        clear=st.booleans(),
    )
    def change(self, state: StreamState, clear: bool) -> None:
        failure = None
        if state is StreamState.FAILED:
            failure = TOO_LONG if self.state is StreamState.LIVE else LOST
        self.queue.set_state(state, failure, clear=clear)
        if self.state is StreamState.CLOSED:
            return
        if clear:
            self._skip(0)
        self.state = state
        self.stream += state is StreamState.LIVE

    @rule()
    def get(self) -> None:
        self._one(self.queue.get)

    @rule()
    def latest(self) -> None:
        self._skip(1)
        self._one(self.queue.latest)

    @rule(count=st.integers(0, 5))
    def take(self, count: int) -> None:
        of_one_stream = [i for stream, i in self.waiting if stream == self.waiting[0][0]][:count]
        try:
            came = self.queue.take(count)
        except OdysseyTimeoutError as exc:
            assert self.state in (StreamState.LIVE, StreamState.READY)
            came = exc.partial
            assert len(came) < count
        except OdysseyError as exc:
            self._is_right(exc)
            came = []
        self._delivered(came, of_one_stream)

    @rule()
    def iterate(self) -> None:
        of_one_stream = [i for stream, i in self.waiting if stream == self.waiting[0][0]]
        came: list[VideoFrame] = []
        try:
            came.extend(self.queue)
        except OdysseyError as exc:
            self._is_right(exc)
        self._delivered(came, of_one_stream)

    @rule()
    def clear(self) -> None:
        self.queue.clear()
        self._skip(0)

    @precondition(lambda self: self.index > 20)
    @rule()
    def close(self) -> None:
        self.queue.close()
        self._skip(0)
        self.state = StreamState.CLOSED

    def _one(self, read: Callable[[], VideoFrame]) -> None:
        expected = [i for _, i in self.waiting[:1]]
        try:
            came = [read()]
        except OdysseyError as exc:
            self._is_right(exc)
            came = []
        self._delivered(came, expected)

    def _is_right(self, exc: OdysseyError) -> None:
        """Whether the error is the one for how things stand."""
        if isinstance(exc, OdysseyTimeoutError):
            assert self.state in (StreamState.LIVE, StreamState.READY)
        elif isinstance(exc, OdysseyConnectionError):
            assert self.state in (StreamState.OFFLINE, StreamState.GONE, StreamState.FAILED)
        else:
            assert isinstance(exc, OdysseyStreamError)

    def _skip(self, keep: int) -> None:
        left_out = max(0, len(self.waiting) - keep)
        self.stats["skipped"] += left_out
        del self.waiting[:left_out]

    def _delivered(self, came: list[VideoFrame], expected: list[int]) -> None:
        assert indices(came) == expected
        del self.waiting[: len(expected)]
        self.delivered += expected

    @invariant()
    def what_came_is_somewhere(self) -> None:
        waiting = len(self.waiting)
        assert len(self.queue) == waiting <= self.size
        stats = self.queue.stats
        assert stats == QueueStats(**self.stats, delivered=len(self.delivered), waiting=waiting)
        assert stats.received == stats.delivered + stats.dropped + stats.skipped + waiting
        assert self.delivered == sorted(set(self.delivered))


TestQueue = pytest.mark.timeout(600)(Queue.TestCase)
