"""A decoded picture, which stays YUV until a reader converts it in its own thread."""

from __future__ import annotations

import threading

import av
import numpy as np
from av.video.plane import VideoPlane
from av.video.reformatter import VideoReformatter

from odyssey._runtime.fork import ForkGuard
from odyssey._video import swscale
from odyssey.frames.frame import Array, ArrayPicture, array_shape

# One reformatter for each thread: a new one for each frame would start threads of its own.
_thread = threading.local()

_AV_NAMES = {"gray8": "gray"}


class DecodedPicture:
    """Wraps the decoder's frame. Converts to RGB at most once, however many readers it has."""

    def __init__(self, frame: av.VideoFrame) -> None:
        self._frame = frame
        # Guards `_rgb` and the frame: a conversion changes its colour tags for a moment.
        self._converting = threading.Lock()
        self._rgb: Array | None = None
        self.most_bytes = sum(plane.buffer_size for plane in frame.planes)
        self.most_bytes += frame.width * frame.height * 3
        self._fork_guard = ForkGuard(self._leave_parent)

    def _leave_parent(self) -> None:
        self._converting = threading.Lock()

    def rgb(self) -> Array:
        with self._converting:
            if self._rgb is None:
                shape = array_shape("rgb24", self._frame.width, self._frame.height)
                rgb = np.empty(shape, np.uint8)
                self._write("rgb24", rgb)
                self._rgb = rgb
            return self._rgb

    def convert(self, format: str, out: Array | None) -> Array:
        frame = self._frame
        if out is None:
            out = np.empty(array_shape(format, frame.width, frame.height), np.uint8)
        with self._converting:
            if format == "rgb24" and self._rgb is not None:
                np.copyto(out, self._rgb)
            else:
                self._write(format, out)
        return out

    def __reduce__(self) -> tuple[type[ArrayPicture], tuple[Array]]:
        """Pickles the RGB pixels, as the decoder's frame can't leave this process."""
        return ArrayPicture, (self.rgb(),)

    def _write(self, format: str, out: Array) -> None:
        if swscale.convert_into(self._frame, format, out):
            return
        if format == "yuv420p":
            _copy_planes(self._reformatted(format), out)
        else:
            np.copyto(out, _view(self._reformatted(format), format))

    def _reformatted(self, format: str) -> av.VideoFrame:
        reformatter: VideoReformatter | None = getattr(_thread, "reformatter", None)
        if reformatter is None:
            reformatter = _thread.reformatter = VideoReformatter()
        return reformatter.reformat(self._frame, format=_AV_NAMES.get(format, format), threads=1)


def _view(frame: av.VideoFrame, format: str) -> Array:
    """Returns a packed frame's pixels without a copy; rows may be padded."""
    shape = array_shape(format, frame.width, frame.height)
    return _rows(
        frame.planes[0], frame.height, frame.width * (3 if len(shape) == 3 else 1)
    ).reshape(shape)


def _copy_planes(frame: av.VideoFrame, out: Array) -> None:
    """Copies Y, then U and V at half the size, one after the other as in PyAV's arrays."""
    flat = out.reshape(-1)
    at = 0
    for plane in frame.planes:
        size = plane.width * plane.height
        np.copyto(
            flat[at : at + size].reshape(plane.height, plane.width),
            _rows(plane, plane.height, plane.width),
        )
        at += size


def _rows(plane: VideoPlane, height: int, row_bytes: int) -> Array:
    lines: Array = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return lines[:height, :row_bytes]
