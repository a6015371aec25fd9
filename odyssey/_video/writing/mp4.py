"""H264 in MP4, encoded frame by frame."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import av
import numpy as np
import numpy.typing as npt
from av.video.frame import PictureType
from av.video.plane import VideoPlane
from av.video.stream import VideoStream

from odyssey._video.paths import libav_url
from odyssey._video.writing.part import PartFile

if TYPE_CHECKING:
    from odyssey.frames.frame import VideoFrame

    _Packet = av.Packet[VideoStream]

_CLOCK = 90_000  # ticks a second, as on the wire
_TIME_BASE = Fraction(1, _CLOCK)
_USUAL_RATE = 24
# Seekable every two seconds, also when frames are skipped just before a key frame is due.
_KEY_FRAME_EVERY = 1.5
_LONGEST_LAST_FRAME = 0.25
_QUALITY_OF_SAVED = 20


class Mp4File:
    """An H264 MP4 in which every frame keeps its own time; a context manager.

    Args:
        path: The file to write.
        width: Of every frame, even.
        height: Of every frame, even.
        quality: As x264's `crf`: less is better, and larger.

    Attributes:
        duration: Seconds to the end of the last frame; known when the file is closed.
    """

    def __init__(self, path: Path, width: int, height: int, quality: int = 25) -> None:
        self._container = av.open(
            libav_url(path), "w", format="mp4", options={"movflags": "+faststart"}
        )
        options = {
            "preset": "ultrafast",
            "tune": "zerolatency",  # a packet comes out for every frame that goes in
            "crf": str(quality),
            "forced-idr": "1",
        }
        self._stream = self._container.add_stream("libx264", rate=_USUAL_RATE, options=options)
        self._stream.width, self._stream.height = width, height
        self._stream.pix_fmt = "yuv420p"
        self._stream.time_base = _TIME_BASE
        context = self._stream.codec_context
        context.time_base = _TIME_BASE
        context.gop_size = 100 * _USUAL_RATE  # key frames are asked for by time, below
        # The process paints, sends and may decode besides: one thread is enough for real time.
        context.thread_count = 1
        self._held: _Packet | None = None  # until the next frame's time gives its duration
        self._first: int | None = None
        self._last = -1
        self._count = 0
        self._next_key = 0
        self.duration = 0.0

    def add(self, frame: av.VideoFrame, at: float) -> None:
        """Appends `frame`, shown from `at` seconds on; the frame itself is left untouched."""
        # A copy: the one that was sent gets its time written by the sender, elsewhere.
        self.add_own(_copy(frame), at)

    def add_own(self, frame: av.VideoFrame, at: float) -> None:
        """Appends a yuv420p frame that nobody else has."""
        pts = max(round(at * _CLOCK), self._last + 1)
        self._first = pts if self._first is None else self._first
        self._last = pts
        self._count += 1
        frame.pts, frame.time_base = pts, _TIME_BASE
        if pts >= self._next_key:
            frame.pict_type = PictureType.I
            self._next_key = pts + round(_KEY_FRAME_EVERY * _CLOCK)
        self._mux(self._stream.encode(frame))

    def close(self) -> None:
        """Completes the file."""
        try:
            self._mux(self._stream.encode(None))
            self._release(None)
            self.duration = (self._last + self._last_frame()) / _CLOCK
        finally:
            self._container.close()

    def abort(self) -> None:
        """Closes the file as it is."""
        self._container.close()

    def __enter__(self) -> Mp4File:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc_type is None:
            self.close()
        else:
            self.abort()

    def _mux(self, packets: list[_Packet]) -> None:
        for packet in packets:
            self._release(packet.pts)
            self._held = packet

    def _release(self, next_pts: int | None) -> None:
        packet, self._held = self._held, None
        if packet is not None and packet.pts is not None:
            packet.duration = (next_pts or packet.pts + self._last_frame()) - packet.pts
            self._container.mux(packet)

    def _last_frame(self) -> int:
        """Ticks that the last frame is shown: as long as the others on average."""
        if self._first is None or self._count < 2:
            return _CLOCK // _USUAL_RATE
        average = (self._last - self._first) // (self._count - 1)
        return max(1, min(average, round(_LONGEST_LAST_FRAME * _CLOCK)))


class Mp4Writer:
    """The frames of a client in an MP4; each frame has its own time."""

    def __init__(self, path: Path, width: int, height: int) -> None:
        self._part = PartFile(path)
        try:
            self._file = Mp4File(self._part.path, width, height, _QUALITY_OF_SAVED)
        except BaseException:
            self._part.discard()
            raise

    def add(self, frame: VideoFrame, at_ms: int) -> None:
        planes = frame.to_ndarray("yuv420p")
        self._file.add_own(av.VideoFrame.from_ndarray(planes, format="yuv420p"), at_ms / 1000)

    def finish(self) -> None:
        self._file.close()
        self._part.rename()

    def discard(self) -> None:
        try:
            self._file.abort()
        finally:
            self._part.discard()


def _copy(frame: av.VideoFrame) -> av.VideoFrame:
    """Copies the picture into memory of its own, yuv420p."""
    source = frame if frame.format.name == "yuv420p" else frame.reformat(format="yuv420p")
    own = av.VideoFrame(frame.width, frame.height, "yuv420p")
    for plane, given in zip(own.planes, source.planes, strict=True):
        _pixels(plane)[...] = _pixels(given)
    return own


def _pixels(plane: VideoPlane) -> npt.NDArray[np.uint8]:
    """Returns a plane's memory without the padding behind its rows."""
    rows = np.frombuffer(memoryview(plane), np.uint8)[: plane.line_size * plane.height]
    return rows.reshape(plane.height, plane.line_size)[:, : plane.width]
