"""The video track of a connection: the running stream's frames, or black ones at a low rate."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import Any

import av
from aiortc import MediaStreamError, MediaStreamTrack

from odyssey.emulator.encoder import CLOCK_RATE, FrameEncoder
from odyssey.emulator.faults import Faults, FreezeVideo, KeyFrameLost, ResizeVideo
from odyssey.emulator.live.live_stream import LiveStream
from odyssey.emulator.painting.scene import black_frame

__all__ = ["StreamerTrack"]

logger = logging.getLogger(__name__)

_IDLE_INTERVAL = 1 / 3  # seconds between the black frames of a connection without a stream
_FROZEN_CHECK = 0.05


class StreamerTrack(MediaStreamTrack):
    """Hands encoded frames to aiortc as they are due. The painter has one thread, so order is kept.

    A stream that can't be painted is told to `on_failure`, and the track goes on with black.
    """

    kind = "video"

    def __init__(
        self,
        painter: Executor,
        encoder: FrameEncoder,
        faults: Faults,
        on_failure: Callable[[LiveStream], None],
    ) -> None:
        super().__init__()
        self.frames_sent = 0
        self.frame_is_lost = False  # the one that `recv` returned last: none of it gets through
        self._painter = painter
        self._encoder = encoder
        self._faults = faults
        self._on_failure = on_failure
        self._origin = time.monotonic()
        self._stream: LiveStream | None = None
        self._size = (704, 1280)
        self._last_pts = -1
        self._idle_due = 0.0
        self._key_wanted = True
        self._changed = asyncio.Event()
        self.painted = asyncio.Event()  # the stream that plays has had a frame
        self._job: asyncio.Future[av.Packet[Any]] | None = None

    def play(self, stream: LiveStream) -> None:
        """Sends this stream's frames from now on."""
        self._stream = stream
        self.painted.clear()
        self._size = (stream.width, stream.height)
        self._key_wanted = True
        self._changed.set()

    async def pause(self) -> None:
        """Sends black from now on; returns when the last frame of the stream is painted."""
        self._stream = None
        self._idle_due = 0.0
        self._changed.set()
        await self.settle()

    async def settle(self) -> None:
        """Waits until the painter has nothing to do for this track."""
        if self._job is not None:
            await asyncio.wait([self._job])

    def request_key_frame(self) -> None:
        self._key_wanted = True

    async def recv(self) -> av.Packet[Any]:
        while True:
            if self.readyState != "live":
                raise MediaStreamError
            self._changed.clear()
            # aiortc comes for a frame when it has sent the one before.
            self.frame_is_lost = False
            if self._is_frozen(self._stream):
                await self._wait(_FROZEN_CHECK)
                continue
            packet = await (self._black() if self._stream is None else self._scene(self._stream))
            if packet is not None:
                self.frames_sent += 1
                return packet

    def _is_frozen(self, stream: LiveStream | None) -> bool:
        if stream is None:
            return self._faults.find(FreezeVideo, lambda fault: not fault.after) is not None
        return self._faults.find_due(FreezeVideo, stream.target) is not None

    async def _black(self) -> av.Packet[Any] | None:
        if await self._wait(self._idle_due - time.monotonic()):
            return None
        self._idle_due = time.monotonic() + _IDLE_INTERVAL
        pts, key = self._next_pts(round((time.monotonic() - self._origin) * CLOCK_RATE))
        size = self._size
        packet = await self._run(lambda: self._encoder.encode(black_frame(*size), pts, key=key))
        # It may have waited for a stream's setting up; that one has been announced by then.
        return packet if self._stream is None else None

    async def _scene(self, stream: LiveStream) -> av.Packet[Any] | None:
        at = stream.next_slot()
        await self._wait(stream.wait_for(at))
        # Whether the wait was cut short or not: both may happen at once, and nothing is painted
        # for a stream whose recording is being closed.
        if self._stream is not stream:
            return None
        if self._faults.take_due(KeyFrameLost, stream.target):
            self.frame_is_lost = self._key_wanted = True
        resized = self._faults.find_due(ResizeVideo, stream.target)
        pts, key = self._next_pts(stream.clock_at(at, self._origin))
        paint = partial(stream.paint, at, pts, self._encoder, key=key, resized=resized)
        try:
            packet = await self._run(paint)
        except Exception:
            logger.exception("stream %s: painting failed", stream.id)
            if self._stream is stream:
                self._stream = None
                self._on_failure(stream)
            return None
        self.painted.set()
        if stream.on_packet is not None:
            stream.on_packet(packet)
        return packet

    def _next_pts(self, pts: int) -> tuple[int, bool]:
        """Returns the next frame's time, later than the last one, and whether it is a key frame."""
        key, self._key_wanted = self._key_wanted, False
        self._last_pts = max(pts, self._last_pts + 1)
        return self._last_pts, key

    async def _run(self, work: Callable[[], av.Packet[Any]]) -> av.Packet[Any]:
        job = asyncio.get_running_loop().run_in_executor(self._painter, work)
        self._job = job
        # The connection's end cancels this task; the job goes on, and `settle` waits for it.
        return await asyncio.shield(job)

    async def _wait(self, seconds: float) -> bool:
        """Waits, but not longer than for a change of what is sent. True when there was one."""
        if seconds <= 0:
            return self._changed.is_set()
        try:
            await asyncio.wait_for(self._changed.wait(), seconds)
        except TimeoutError:
            return False
        return True
