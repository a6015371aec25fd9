"""Encoding of one connection's frames.

aiortc takes packets as well as frames. Encoding here instead of there gives the picture the bitrate
that its size needs (aiortc stays below 1.5 Mbit/s, and follows the receiver's estimate further
down), costs less, and leaves the frame to one thread from painting to recording.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, cast

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from odyssey.emulator.settings import Codec

__all__ = ["CLOCK_RATE", "FRAME_RATE", "FrameEncoder"]

FRAME_RATE = 24
CLOCK_RATE = 90_000
_TIME_BASE = Fraction(1, CLOCK_RATE)
_KEY_FRAME_EVERY = 10 * FRAME_RATE


class FrameEncoder:
    """Encodes at a constant bitrate (bit/s). A new size of frames starts with a key frame."""

    def __init__(self, codec: Codec, bitrate: int) -> None:
        self._codec = codec
        self._bitrate = bitrate
        self._context: VideoCodecContext | None = None

    def encode(self, frame: av.VideoFrame, pts: int, *, key: bool = False) -> av.Packet[Any]:
        """Encodes the frame as the one at `pts` (1/90000 s), as a key frame if asked."""
        context = self._context
        if context is None or (context.width, context.height) != (frame.width, frame.height):
            context = self._context = self._open(frame.width, frame.height)
        frame.pts, frame.time_base = pts, _TIME_BASE
        frame.pict_type = PictureType.I if key else PictureType.NONE
        (packet,) = context.encode(frame)
        # The recorder gets the same frame, and must not take it for a key frame.
        frame.pict_type = PictureType.NONE
        return packet

    def close(self) -> None:
        """Frees the encoder's memory, some 20 MB."""
        self._context = None

    def _open(self, width: int, height: int) -> VideoCodecContext:
        name = "libvpx" if self._codec == "vp8" else "libx264"
        context = cast(VideoCodecContext, av.CodecContext.create(name, "w"))
        context.width, context.height = width, height
        context.pix_fmt = "yuv420p"
        context.time_base = _TIME_BASE
        context.framerate = Fraction(FRAME_RATE)
        context.gop_size = _KEY_FRAME_EVERY
        context.bit_rate = self._bitrate
        context.thread_count = 1
        context.options = self._vp8_options() if self._codec == "vp8" else self._h264_options()
        return context

    def _vp8_options(self) -> dict[str, str]:
        return {
            "deadline": "realtime",
            "cpu-used": "-12",
            "lag-in-frames": "0",
            "minrate": str(self._bitrate),
            "maxrate": str(self._bitrate),
            "bufsize": str(self._bitrate // 2),
            # A key frame goes out in one burst, which has to fit a socket's receive buffer.
            "max-intra-rate": "450",
            "static-thresh": "1",
            "qmin": "4",
            "qmax": "56",
        }

    def _h264_options(self) -> dict[str, str]:
        return {
            "preset": "superfast",
            "tune": "zerolatency",
            "profile": "baseline",
            "level": "31",
            "forced-idr": "1",
            "maxrate": str(self._bitrate),
            "bufsize": str(self._bitrate // 3),
        }
