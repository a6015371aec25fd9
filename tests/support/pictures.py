"""Frames to test with: of real libav pictures, or small ones."""

from __future__ import annotations

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from odyssey import VideoFrame
from odyssey._video.picture import DecodedPicture
from odyssey.frames.frame import Array


def decoded(
    width: int = 64,
    height: int = 48,
    *,
    format: str = "yuv420p",
    colorspace: int = Colorspace.DEFAULT,
    color_range: int = ColorRange.UNSPECIFIED,
    seed: int = 0,
) -> av.VideoFrame:
    """What a decoder would give: noise, with padding behind the rows where libav wants it."""
    frame = av.VideoFrame(width, height, format)
    random = np.random.default_rng(seed)
    for plane in frame.planes:
        plane.update(random.integers(0, 256, plane.buffer_size, np.uint8).tobytes())
    frame.colorspace = colorspace
    frame.color_range = color_range
    return frame


class CountingPicture(DecodedPicture):
    """Counts conversions that really happen."""

    conversions = 0

    def _write(self, format: str, out: Array) -> None:
        self.conversions += 1
        super()._write(format, out)


def frame(
    index: int = 0,
    width: int = 4,
    height: int = 2,
    *,
    picture: DecodedPicture | None = None,
    stream_id: str | None = None,
) -> VideoFrame:
    """A small frame whose pixels are all its index, or one of `picture`."""
    data = picture or np.full((height, width, 3), index % 256, np.uint8)
    return VideoFrame(
        data=data,
        width=width,
        height=height,
        timestamp_ms=index * 40,
        index=index,
        stream_id=stream_id,
    )


def live_frame(source: av.VideoFrame) -> VideoFrame:
    return frame(width=source.width, height=source.height, picture=CountingPicture(source))
