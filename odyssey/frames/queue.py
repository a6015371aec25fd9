"""Bounded queues, from which the caller's threads read frames."""

from __future__ import annotations

import collections
import enum
import threading
from collections.abc import Callable, Iterator
from typing import Any, Literal, NoReturn

import attrs

from odyssey._checks import check_count, check_wait
from odyssey._runtime.deadline import WAIT_SLICE, Deadline
from odyssey._runtime.fork import ForkGuard
from odyssey.errors import (
    OdysseyConnectionError,
    OdysseyStreamError,
    OdysseyTimeoutError,
    own_copy,
)
from odyssey.frames.frame import Array, VideoFrame, check_out
from odyssey.frames.live_stream import LiveStream
from odyssey.frames.stats import QueueStats

Overflow = Literal["drop_oldest", "drop_newest"]


class StreamState(enum.Enum):
    """The state of the connection and its stream, as a queue sees it."""

    OFFLINE = "offline"  # the client has not been connected
    READY = "ready"  # connected, no stream yet
    LIVE = "live"  # a stream runs
    ENDED = "ended"  # the last stream ended; connected
    FAILED = "failed"  # the last stream or the connection failed
    GONE = "gone"  # disconnected cleanly
    CLOSED = "closed"  # this queue was closed


#: The most bytes of pictures in a queue, in all or for each frame of `maxsize`; the larger counts.
_MOST_BYTES = 512 << 20
_MOST_BYTES_PER_FRAME = 4 << 20

_CLEAN_ENDS = (StreamState.ENDED, StreamState.GONE, StreamState.CLOSED)


class FrameQueue:
    """A bounded queue of frames, filled by the media thread and read by any other.

    `client.frames` is one; `client.subscribe()` makes more. When the queue is full, a frame is
    dropped and counted, so that a slow reader never holds the media up. It is full with `maxsize`
    frames, or with 512 MB or `maxsize` times 4 MB of pictures, whichever is more. Safe to share
    between threads.

    A `timeout` is in seconds, counts from the call, and defaults to the client's; 0 does not wait,
    a negative one is a `ValueError`. Waiting frames are handed out before the end of the stream, or
    the error that ended it, is reported.

    Example:
        ```python
        clip = client.frames.stack(48)              # (48, 1280, 704, 3) uint8
        newest = client.frames.latest()
        for frame in client.frames:                 # until the stream ends
            process(frame.data)
        ```
    """

    def __init__(
        self,
        maxsize: int = 32,
        overflow: Overflow = "drop_oldest",
        *,
        timeout: float | None = 30.0,
        on_close: Callable[[FrameQueue], None] | None = None,
    ) -> None:
        self._maxsize = check_count(maxsize, "maxsize", 1)
        if overflow not in ("drop_oldest", "drop_newest"):
            raise ValueError(f"overflow must be 'drop_oldest' or 'drop_newest', not {overflow!r}")
        self._overflow = overflow
        self._timeout = timeout
        self._on_close = on_close
        self._fork_guard = ForkGuard(self._leave_parent)
        # Its lock guards every field below; the media thread holds it for a few instructions a
        # frame. Pixels are converted outside it.
        self._changed = threading.Condition(threading.Lock())
        self._frames: collections.deque[tuple[LiveStream, VideoFrame]] = collections.deque()
        self._most_bytes = max(_MOST_BYTES, _MOST_BYTES_PER_FRAME * self._maxsize)
        self._bytes = 0  # of the pictures in `_frames`
        self._state = StreamState.OFFLINE
        self._failure: Exception | None = None
        self._stream = LiveStream()  # the present or last one; each frame carries its own
        # Replaced as a whole, so that it can be read without the lock: a signal handler may have
        # interrupted the very thread that holds it.
        self._stats = QueueStats()

    @property
    def maxsize(self) -> int:
        """The most frames that the queue holds."""
        return self._maxsize

    @property
    def stats(self) -> QueueStats:
        """The present counters. Takes no lock, so a signal handler may read them."""
        return self._stats

    def __len__(self) -> int:
        return len(self._frames)

    def __repr__(self) -> str:
        return f"FrameQueue({len(self)} of {self._maxsize} frames, {self._state.value})"

    def get(self, timeout: float | None = None) -> VideoFrame:
        """Returns the oldest frame; waits for one if there is none.

        Raises:
            OdysseyTimeoutError: No frame came in time.
            OdysseyConnectionError: The client is not connected, or the connection was lost.
            OdysseyStreamError: The stream has ended or failed, and no frame is left.
                `StreamDurationExceededError` is one of these.
        """
        deadline = self._deadline(timeout)
        with self._changed:
            self._wait(deadline)
            return self._remove_oldest("delivered")

    def latest(self, timeout: float | None = None) -> VideoFrame:
        """Returns the newest frame and skips the older ones; waits for one if there is none.

        Raises:
            OdysseyTimeoutError, OdysseyConnectionError, OdysseyStreamError: As `get`.
        """
        deadline = self._deadline(timeout)
        with self._changed:
            self._wait(deadline)
            while len(self._frames) > 1:
                self._remove_oldest("skipped")
            return self._remove_oldest("delivered")

    def read(self) -> tuple[bool, Array | None]:
        """Returns True and the next frame in BGR, or (False, None) at the end of the stream.

        As `cv2.VideoCapture.read()`, with an array (height, width, 3).

        Raises:
            OdysseyTimeoutError, OdysseyConnectionError, StreamDurationExceededError: As `get`.
        """
        for frame in self:
            return True, frame.to_ndarray("bgr24")
        return False, None

    def take(self, n: int, timeout: float | None = None) -> list[VideoFrame]:
        """Returns the next `n` frames; fewer if the stream ends or fails meanwhile.

        Args:
            n: The number of frames.
            timeout: Seconds for all of them together.

        Raises:
            OdysseyTimeoutError: They did not all come in time; `partial` has those that did.
            OdysseyStreamError, OdysseyConnectionError: As `get`, if there was no frame at all.
        """
        frames: list[VideoFrame] = []
        for frame in self._next_frames(n, timeout, frames):
            frames.append(frame)
        return frames

    def stack(self, n: int, timeout: float | None = None, out: Array | None = None) -> Array:
        """Returns the next `n` frames as one array: uint8 (n, height, width, 3) RGB.

        It has fewer frames if the stream ends or fails meanwhile.

        Args:
            n: The number of frames.
            timeout: Seconds for all of them together.
            out: A C-contiguous uint8 array (n, height, width, 3) to write into. The result is `out`
                if it was filled, otherwise a view of its beginning.

        Raises:
            OdysseyTimeoutError: They did not all come in time; `partial` is an array of those that
                did.
            OdysseyStreamError: The size changed (`reason` is `"size_changed"`; `partial` has the
                frames before that, and the others stay in the queue); or as `get`, if there was no
                frame at all.
            OdysseyConnectionError: As `get`, if there was no frame at all.
            ValueError: `out` has another size than the frames, or is not such an array.
        """
        import numpy as np

        frames: list[Array] = []
        n = check_count(n, "n", 0)
        result, size = out, None
        if out is not None:
            check_out(out, (n, None, None, 3))
            size = out.shape[2], out.shape[1]

        def came() -> Array:
            if result is None:
                return np.empty((0, 0, 0, 3), np.uint8)
            return result if len(frames) == n else result[: len(frames)]

        for frame in self._next_frames(n, timeout, frames, came, size):
            if result is None:
                result = np.empty((n, frame.height, frame.width, 3), np.uint8)
            frames.append(frame.to_ndarray("rgb24", out=result[len(frames)]))
        return came()

    def __iter__(self) -> Iterator[VideoFrame]:
        """Yields frames until the stream ends, and raises the error if it failed.

        Each frame is waited for with the client's timeout.
        """
        return _Iteration(self)

    def frames_of(self, stream: LiveStream) -> Iterator[VideoFrame]:
        """Yields the frames of one stream; ends at once if it is over and none of them wait."""
        return _Iteration(self, stream)

    def clear(self) -> None:
        """Discards the waiting frames, which count as skipped."""
        with self._changed:
            self._skip_all()

    def close(self) -> None:
        """Closes the queue: it takes no more frames, and its readers are woken. Idempotent."""
        self.set_state(StreamState.CLOSED, clear=True)
        if self._on_close is not None:
            self._on_close(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a FrameQueue can't be pickled, as threads wait on it; the frames in it can"
        )

    def __enter__(self) -> FrameQueue:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Called by the connection.

    def put(self, frame: VideoFrame, *, idle: bool = False) -> None:
        """Takes a decoded frame; never blocks. An `idle` one belongs to no stream."""
        with self._changed:
            if self._state is StreamState.CLOSED:
                return
            if idle or self._state is not StreamState.LIVE:
                self._count(idle=1)
                return
            while self._frames and self._is_full_for(frame):
                if self._overflow == "drop_newest":
                    self._count(received=1, dropped=1)
                    return
                self._remove_oldest("dropped")
            self._frames.append((self._stream, frame))
            self._bytes += frame._most_bytes
            self._count(received=1, waiting=1)
            # Wakes all: a reader that is bound to the previous stream leaves this frame to another.
            self._changed.notify_all()

    def set_state(
        self,
        state: StreamState,
        failure: Exception | None = None,
        *,
        stream: LiveStream | None = None,
        clear: bool = False,
    ) -> None:
        """The stream or the connection changed; wakes everybody who waits.

        Args:
            stream: The one that is LIVE now, whose the frames are that come.
        """
        with self._changed:
            if self._state is StreamState.CLOSED:
                return
            if clear:
                self._skip_all()
            if self._state is StreamState.LIVE and failure is not None:
                self._stream.failure = failure
            if state is StreamState.LIVE:
                self._stream = stream or LiveStream()
            self._state = state
            self._failure = failure
            self._changed.notify_all()

    def _leave_parent(self) -> None:
        """Fails the queue in a forked child, which gets no frames."""
        failure = self._fork_guard.refusal()
        self._on_close = None
        self._skip_all()
        self._state, self._failure = StreamState.FAILED, failure
        self._stream.failure = failure
        self._changed = threading.Condition(threading.Lock())

    # Parts of reading. All but `_deadline` and `_next_frames` are called with the lock held.

    def _deadline(self, timeout: float | None) -> Deadline:
        return Deadline.after(self._timeout if timeout is None else check_wait(timeout))

    def _is_full_for(self, frame: VideoFrame) -> bool:
        return (
            len(self._frames) >= self._maxsize or self._bytes + frame._most_bytes > self._most_bytes
        )

    def _remove_oldest(self, counter: str) -> VideoFrame:
        _, frame = self._frames.popleft()
        self._bytes -= frame._most_bytes
        self._count(waiting=-1, **{counter: 1})
        return frame

    def _skip_all(self) -> None:
        while self._frames:
            self._remove_oldest("skipped")

    def _count(self, **more: int) -> None:
        before = self._stats
        changed = {name: getattr(before, name) + n for name, n in more.items()}
        self._stats = attrs.evolve(before, **changed)

    def _wait(self, deadline: Deadline) -> None:
        """Waits for a frame, of whatever stream."""
        while not self._frames:
            if (error := self._why_none()) is not None:
                raise error
            self._wait_for_change(deadline)

    def _wait_for_change(self, deadline: Deadline) -> None:
        left = deadline.remaining()
        if left is not None and left <= 0:
            raise OdysseyTimeoutError(
                "no video frame came in time"
                + ("" if self._state is StreamState.LIVE else ": no stream has been started")
            )
        self._changed.wait(WAIT_SLICE if left is None else min(left, WAIT_SLICE))

    def _why_none(self) -> Exception | None:
        """Returns the error that says why no frame can come; None if one may."""
        if self._state is StreamState.FAILED:
            assert self._failure is not None
            return own_copy(self._failure)
        if self._state in (StreamState.OFFLINE, StreamState.GONE):
            return OdysseyConnectionError("not connected; call connect() first")
        if self._state is StreamState.ENDED:
            return _ended()
        if self._state is StreamState.CLOSED:
            return OdysseyStreamError("this frame queue was closed", reason="queue_closed")
        return None

    def _next_frames(
        self,
        n: int,
        timeout: float | None,
        got: list[Any],
        partial: Callable[[], object] | None = None,
        size: tuple[int, int] | None = None,
    ) -> Iterator[VideoFrame]:
        """Yields up to `n` frames.

        Args:
            got: The caller's list of the frames so far.
            partial: Returns `partial` for an error; without it, that is `got`. With it, all frames
                have to be of one size.
            size: That size, if it is known before the first frame.
        """
        n = check_count(n, "n", 0)
        deadline = self._deadline(timeout)
        reader = _Iteration(self)
        while len(got) < n:
            try:
                frame = reader.next(deadline, size)
            except OdysseyTimeoutError as exc:
                exc.partial = list(got) if partial is None else partial()
                raise
            except _SizeChanged as exc:
                if not got:
                    raise ValueError(f"out is for frames of another size: {exc}") from None
                raise OdysseyStreamError(
                    f"frames of two sizes can't be stacked: {exc}; stack the others by themselves",
                    reason="size_changed",
                    partial=None if partial is None else partial(),
                ) from None
            except Exception:
                if got:
                    return
                raise
            if frame is None:
                if got:
                    return
                with self._changed:
                    raise self._why_none() or _ended()
            if partial is not None:
                size = frame.width, frame.height
            yield frame


class _SizeChanged(Exception): ...  # noqa: N818 - never leaves this file


class _Iteration(Iterator[VideoFrame]):
    """Reads one stream, and stops at its end even if the next one has begun by then."""

    def __init__(self, queue: FrameQueue, stream: LiveStream | None = None) -> None:
        self._queue = queue
        self._stream = stream  # None: from the first frame or the start on

    def __next__(self) -> VideoFrame:
        frame = self.next(Deadline.after(self._queue._timeout))
        if frame is None:
            raise StopIteration
        return frame

    def next(self, deadline: Deadline, size: tuple[int, int] | None = None) -> VideoFrame | None:
        """Returns the next frame, or None when the stream is over.

        Raises:
            _SizeChanged: The frame has another size than `size`; it stays in the queue.
        """
        queue = self._queue
        with queue._changed:
            while True:
                if queue._frames:
                    stream, frame = queue._frames[0]
                    if self._stream is None:
                        self._stream = stream
                    if stream is self._stream:
                        own = frame.width, frame.height
                        if size not in (None, own):
                            raise _SizeChanged(f"{size}, then {own} (width, height)")
                        return queue._remove_oldest("delivered")
                if self._over():
                    return None
                queue._wait_for_change(deadline)

    def _over(self) -> bool:
        """Whether no more frame can come; raises the error if the stream failed."""
        queue, state = self._queue, self._queue._state
        if self._stream is None:
            error = None if state in _CLEAN_ENDS else queue._why_none()
            if error is not None:
                raise error
            if state is StreamState.READY:
                return False
            self._stream = queue._stream
            if state is not StreamState.LIVE:
                return True
        failure = self._stream.failure
        if failure is not None and state is not StreamState.CLOSED:
            raise own_copy(failure)
        return state is not StreamState.LIVE or self._stream is not queue._stream


def _ended() -> OdysseyStreamError:
    return OdysseyStreamError(
        "the stream has ended; start the next one before reading on", reason="stream_ended"
    )
