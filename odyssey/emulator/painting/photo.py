"""A given picture, moving slowly: the camera goes over it and nearer and farther."""

from __future__ import annotations

from math import pi, sin

import attrs
import av
import numpy as np
from av.video.reformatter import VideoReformatter
from PIL import Image, ImageOps

from odyssey.emulator.painting.planes import Bytes, Planes, convert, from_rgb

__all__ = ["Photo"]

_ROOM = 1.25  # the picture is kept so much larger than it is shown, to go nearer without blur
_ROUND = 23.0  # seconds that the camera takes to go nearer and back


@attrs.frozen(eq=False)
class Photo:
    """A picture of any size, cropped to fill the frame."""

    source: Planes
    seed: int
    _converters: tuple[VideoReformatter, ...] = attrs.field(init=False)

    @_converters.default
    def _one_for_each_plane(self) -> tuple[VideoReformatter, ...]:
        return tuple(VideoReformatter() for _ in range(3))

    @staticmethod
    def planes(image: Image.Image, width: int, height: int) -> Planes:
        """`image` as the `source` of photos for pictures of that size."""
        size = 4 * round(width * _ROOM / 4), 4 * round(height * _ROOM / 4)
        fitted = ImageOps.fit(image.convert("RGB"), size, Image.Resampling.BICUBIC)
        return from_rgb(np.asarray(fitted))

    def paint(self, target: Planes, at: float) -> None:
        """Fills `target` with the part that the camera sees after `at` seconds."""
        turn = 2 * pi * (at / _ROUND + self.seed % 97 / 97)
        share = (1.0 - 0.13 * (1 + sin(turn)) / 2) / (1.04 + 0.1 * (self.seed // 97 % 7) / 6)
        across, down = 0.5 + 0.45 * sin(0.7 * turn + self.seed % 5), 0.5 + 0.45 * sin(0.9 * turn)
        height, width = self.source.u.shape
        tall, wide = round(height * share), round(width * share)
        top, left = round((height - tall) * down), round((width - wide) * across)
        pairs = zip(target.each(), self.source.each(), self._converters, strict=True)
        for (plane, scale), (source, _), converter in pairs:
            factor = 2 // scale
            rows = slice(top * factor, (top + tall) * factor)
            part = source[rows, left * factor : (left + wide) * factor]
            plane[...] = _resized(part, plane.shape[1], plane.shape[0], converter)


def _resized(part: Bytes, width: int, height: int, converter: VideoReformatter) -> Bytes:
    frame = av.VideoFrame.from_numpy_buffer(part, "gray")
    plane = convert(converter, frame, width=width, height=height, interpolation="BILINEAR").planes[
        0
    ]
    rows: Bytes = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[:height, :width]
