"""Receives a video track as decoded pictures."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable

import av
from aiortc import MediaStreamError, MediaStreamTrack, RTCPeerConnection

from odyssey._rtc import private_rtp
from odyssey._rtc.assembler import NACK_INTERVAL, EncodedFrame, FrameAssembler, LossState
from odyssey._rtc.decoder import Codec, Decoder
from odyssey._rtc.short_path import Packet
from odyssey._runtime.tasks import Tasks
from odyssey._video.picture import DecodedPicture
from odyssey.frames.frame import VideoFrame

logger = logging.getLogger(__name__)


class VideoReceiver:
    """Decodes one track, on a thread of its own if aiortc's version is known; else through aiortc.

    Made in the `track` handler, before anything is received; used on the media thread.

    Args:
        deliver: Gets each picture and when it arrived (`time.monotonic()`), on the decoder's
            thread.
        ended: Called on the media thread when the track has ended.
        failed: Called on the media thread with the exception of a task.

    Attributes:
        heard_at: When the last packet came, in `time.monotonic()` seconds, or None.
    """

    def __init__(
        self,
        pc: RTCPeerConnection,
        track: MediaStreamTrack,
        deliver: Callable[[av.VideoFrame, float], None],
        ended: Callable[[], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self.heard_at: float | None = None
        self._ended = ended
        self._assembler = FrameAssembler()
        self._source = 0
        self._timer: asyncio.TimerHandle | None = None
        self._tasks = Tasks(failed)
        self._feedback = private_rtp.Feedback(pc, track)
        self._decoder: Decoder | None = Decoder(deliver, self._need_key_frame, ended)
        private_rtp.keep_time(pc, track)
        guarded = self._tasks.guarded  # what aiortc's readers of packets raise is dropped
        if private_rtp.receive_through(pc, track, guarded(self._assemble), self._decoder):
            self._decoder.start()
            private_rtp.shorten_path(pc, track, guarded(self._take))
        else:
            self._decoder = None
            self._tasks.spawn(self._receive(track, deliver))

    def _assemble(self, packet: Packet) -> EncodedFrame | None:
        """Takes a packet; returns the frame that it completes, with those that follow it."""
        assembler = self._assembler
        self._source = packet.ssrc
        self.heard_at = time.monotonic()
        frames = assembler.add(packet, self.heard_at)
        if assembler.gap:
            self._tasks.spawn(self._feedback.request_packets(self._source, assembler.gap))
        if assembler.flow is not LossState.STEADY and self._timer is None:
            self._check_later()
        if not frames:
            return None
        frames[0].followers = frames[1:]
        return frames[0]

    def _take(self, codec: Codec, packet: Packet) -> None:
        """Takes a packet that came on the short path."""
        frame = self._assemble(packet)
        if frame is not None and self._decoder is not None:
            self._decoder.put((codec, frame))

    async def close(self) -> None:
        """Delivers nothing more, and ends the thread."""
        if self._timer is not None:
            self._timer.cancel()
        await self._tasks.cancel()
        if self._decoder is not None:
            await self._decoder.close()

    async def _receive(
        self, track: MediaStreamTrack, deliver: Callable[[av.VideoFrame, float], None]
    ) -> None:
        """Receives frames from aiortc's track, on the plain path."""

        def hear(frame: av.VideoFrame) -> None:
            self.heard_at = time.monotonic()
            deliver(frame, self.heard_at)

        await drain(track, hear)
        self._ended()

    def _need_key_frame(self) -> None:
        if self._assembler.flow is not LossState.LOST:
            self._assembler.require_key_frame(time.monotonic())
            self._check()

    def _check_later(self) -> None:
        check = self._tasks.guarded(self._check)
        self._timer = asyncio.get_running_loop().call_later(NACK_INTERVAL, check)

    def _check(self) -> None:
        """Requests what is missing, and again as long as something is."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        wish = self._assembler.check(time.monotonic())
        if wish.packets:
            self._tasks.spawn(self._feedback.request_packets(self._source, wish.packets))
        if wish.key_frame:
            self._tasks.spawn(self._feedback.request_key_frame(self._source))
        if self._assembler.flow is not LossState.STEADY:
            self._check_later()


async def drain(track: MediaStreamTrack, deliver: Callable[[av.VideoFrame], None]) -> None:
    """Takes all frames of a track until it ends, as aiortc's queue behind it has no bound."""
    with contextlib.suppress(MediaStreamError):
        while True:
            frame = await track.recv()
            if isinstance(frame, av.VideoFrame):
                deliver(frame)


def live_frame(
    frame: av.VideoFrame, index: int, stream_id: str | None = None, prompt: str | None = None
) -> VideoFrame:
    """Makes the frame that is handed on, as received just now."""
    return VideoFrame(
        DecodedPicture(frame),
        frame.width,
        frame.height,
        timestamp_ms=round(frame.time * 1000) if frame.pts is not None else 0,
        index=index,
        received_at=time.monotonic(),
        stream_id=stream_id,
        prompt=prompt,
    )
