"""Painting in the planes of yuv420p pictures, which is what the encoders take."""

from __future__ import annotations

from typing import Any

import attrs
import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import VideoReformatter
from PIL import Image

__all__ = ["Bytes", "Overlay", "Planes", "Strip", "blank", "convert", "fade", "from_rgb"]

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint16]

# Before its release 17, PyAV had neither the argument nor the threads.
_IN_THIS_THREAD: dict[str, Any] = {"threads": 1} if int(av.__version__.split(".")[0]) >= 17 else {}


@attrs.frozen(eq=False)
class Planes:
    """The planes of one picture: `y` (height, width) uint8, `u` and `v` (height / 2, width / 2)."""

    y: Bytes
    u: Bytes
    v: Bytes

    @classmethod
    def of(cls, frame: av.VideoFrame) -> Planes:
        """Views of a yuv420p frame's own memory; they write through and keep it alive."""
        views = []
        for plane in frame.planes[:3]:
            rows = np.frombuffer(memoryview(plane), np.uint8)[: plane.line_size * plane.height]
            views.append(rows.reshape(plane.height, plane.line_size)[:, : plane.width])
        return cls(*views)

    def copy(self) -> Planes:
        return Planes(self.y.copy(), self.u.copy(), self.v.copy())

    def each(self) -> tuple[tuple[Bytes, int], ...]:
        """The planes, each with the number of picture pixels that one of its own stands for."""
        return (self.y, 1), (self.u, 2), (self.v, 2)


def blank(width: int, height: int) -> av.VideoFrame:
    """Returns a yuv420p frame with nothing painted in it yet."""
    return av.VideoFrame(width, height, "yuv420p")


def convert(reformatter: VideoReformatter, frame: av.VideoFrame, **wanted: Any) -> av.VideoFrame:
    """`reformatter.reformat(frame, ...)` in this thread alone.

    Left to itself it starts a thread for each of the processors whenever the sizes change.
    """
    return reformatter.reformat(frame, **wanted, **_IN_THIS_THREAD)


def from_rgb(picture: Bytes) -> Planes:
    """The planes of RGB(A), (height, width, 3 or 4), both even; opacity is not looked at."""
    layout = "rgb24" if picture.shape[2] == 3 else "rgba"
    rgb = av.VideoFrame.from_ndarray(picture, layout)
    return Planes.of(convert(VideoReformatter(), rgb, format="yuv420p"))


def fade(target: Planes, other: Planes, share: float) -> None:
    """Brings `other` into `target`: 0 leaves the target as it is, 1 makes it the other."""
    weight = np.uint16(round(min(max(share, 0.0), 1.0) * 256))
    for (plane, _), (source, _) in zip(target.each(), other.each(), strict=True):
        _blend(plane, source.astype(np.uint16) * weight, np.uint16(256 - weight))


def _blend(target: Bytes, colour: Words, keep: Words | np.uint16) -> None:
    mixed = target.astype(np.uint16)
    mixed *= keep
    mixed += colour
    mixed >>= 8
    target[...] = mixed


def _keep(alpha: npt.NDArray[np.int32]) -> Words:
    return (256 - (alpha * 256 + 127) // 255).astype(np.uint16)


def _colour(plane: Bytes, alpha: npt.NDArray[np.int32], zero: int) -> Words:
    # The premultiplied colours were converted over black, whose code is `zero`, not 0.
    level = (plane.astype(np.int32) - zero) * 256 + alpha * (zero * 256) // 255 + 128
    # Rounding may not lift colour + 255 * keep beyond 16 bits.
    highest = 65535 - 255 * _keep(alpha).astype(np.int32)
    return np.asarray(np.clip(level, 0, highest), np.uint16)


@attrs.frozen(eq=False)
class Overlay:
    """A translucent picture, ready for blending: target = (target * keep + colour) / 256."""

    colours: tuple[Words, Words, Words]  # of y, u, v; times 256 and the opacity
    keeps: tuple[Words, Words]  # of y, and of u and v: 256 minus the opacity

    @classmethod
    def of(cls, picture: Image.Image) -> Overlay:
        """From an RGBA picture whose sides are even."""
        return cls.premultiplied(np.asarray(picture.convert("RGBa")))

    @classmethod
    def premultiplied(cls, picture: Bytes) -> Overlay:
        """From RGBA, (height, width, 4), both even, whose colours are times the opacity."""
        opaque = from_rgb(picture)
        alpha = picture[:, :, 3].astype(np.int32)
        halved = (
            alpha[::2, ::2] + alpha[1::2, ::2] + alpha[::2, 1::2] + alpha[1::2, 1::2] + 2
        ) >> 2
        colours = (
            _colour(opaque.y, alpha, 16),
            _colour(opaque.u, halved, 128),
            _colour(opaque.v, halved, 128),
        )
        return cls(colours, (_keep(alpha), _keep(halved)))

    @property
    def width(self) -> int:
        return int(self.keeps[0].shape[1])

    @property
    def height(self) -> int:
        return int(self.keeps[0].shape[0])

    def paint(self, target: Planes, left: int, top: int) -> None:
        """Blends it into `target`, its corner at (`left`, `top`); what lies outside is left out."""
        for index, (plane, scale) in enumerate(target.each()):
            keep = self.keeps[min(index, 1)]
            x, y = left // scale, top // scale
            above, below = max(0, -y), min(keep.shape[0], plane.shape[0] - y)
            before, after = max(0, -x), min(keep.shape[1], plane.shape[1] - x)
            if above < below and before < after:
                part = np.s_[above:below, before:after]
                here = plane[y + above : y + below, x + before : x + after]
                _blend(here, self.colours[index][part], keep[part])


@attrs.frozen(eq=False)
class Strip:
    """A picture that goes round sideways: its skyline is blended, what is solid below is copied."""

    top: int  # row of the picture at which it begins
    solid: int  # row from which it hides everything behind
    skyline: Overlay
    body: Planes

    @classmethod
    def of(cls, picture: Bytes, top: int) -> Strip:
        """From premultiplied RGBA, (height, width, 4); not narrower than what it is painted on."""
        height = picture.shape[0]
        seen_through = np.flatnonzero(picture[:, :, 3].min(axis=1) < 255)
        solid = 0 if seen_through.size == 0 else int(seen_through[-1]) + 2
        solid = min(max(solid - solid % 2, 2), height - 2)
        skyline = Overlay.premultiplied(picture[:solid])
        return cls(top, top + solid, skyline, from_rgb(picture[solid:]))

    def paint(self, target: Planes, offset: float, bottom: int) -> None:
        """Paints it moved `offset` pixels to the left, down to the row `bottom` (even)."""
        for index, (plane, scale) in enumerate(target.each()):
            body = (self.body.y, self.body.u, self.body.v)[index]
            keep, colour = self.skyline.keeps[min(index, 1)], self.skyline.colours[index]
            top, solid = self.top // scale, self.solid // scale
            seen = min(solid, bottom // scale)
            end = min(bottom // scale, solid + body.shape[0])
            start = int(offset / scale) % body.shape[1]
            split = min(plane.shape[1], body.shape[1] - start)
            for x, begin, stop in ((0, start, start + split), (split, 0, plane.shape[1] - split)):
                if stop > begin and seen > top:
                    here = plane[top:seen, x : x + stop - begin]
                    rows = np.s_[: seen - top, begin:stop]
                    _blend(here, colour[rows], keep[rows])
                if stop > begin and end > solid:
                    plane[solid:end, x : x + stop - begin] = body[: end - solid, begin:stop]
