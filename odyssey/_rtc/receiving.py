"""Decoded frames off a track."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import av
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from odyssey._rtc.picture import DecodedPicture
from odyssey.frames import VideoFrame


async def drain(track: MediaStreamTrack, deliver: Callable[[av.VideoFrame], None]) -> None:
    """Takes what the track has until it ends; always, as aiortc's queue behind it has no bound."""
    with contextlib.suppress(MediaStreamError):
        while True:
            frame = await track.recv()
            if isinstance(frame, av.VideoFrame):
                deliver(frame)


def live_frame(
    frame: av.VideoFrame, index: int, stream_id: str | None = None, prompt: str | None = None
) -> VideoFrame:
    """The frame as it is handed on, received just now."""
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
