"""The files of a recording that are encoded while the stream runs."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import av
from av.video.frame import PictureType
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from PIL import Image

from odyssey.emulator.painting.planes import Planes, convert

__all__ = ["PreviewFile", "VideoFile", "save_thumbnail"]

if TYPE_CHECKING:
    _Packet = av.Packet[VideoStream]

_CLOCK = 90_000  # ticks a second, as on the wire
_TIME_BASE = Fraction(1, _CLOCK)
_USUAL_RATE = 24
# Seekable every two seconds, also when frames are skipped just before a key frame is due.
_KEY_FRAME_EVERY = 1.5
_LONGEST_LAST_FRAME = 0.25

_PREVIEW_SECONDS = 3.0
_PREVIEW_SIDE = 320
_PREVIEW_INTERVAL = 0.08  # a bit less than two frames: half the rate
_THUMBNAIL_SIDE = 640


class VideoFile:
    """An H264 MP4 in which every frame keeps its own time; a context manager."""

    def __init__(self, path: Path, width: int, height: int, quality: int = 25) -> None:
        self._container = av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})
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
        self.duration = 0.0  # seconds to the end of the last frame; known after the end

    def add(self, frame: av.VideoFrame, at: float) -> None:
        """Append `frame`, shown from `at` seconds on; the frame itself is left untouched."""
        pts = max(round(at * _CLOCK), self._last + 1)
        self._first = pts if self._first is None else self._first
        self._last = pts
        self._count += 1
        # A frame of our own: the one that was sent gets its time written by the sender, elsewhere.
        own = av.VideoFrame(frame.width, frame.height, "yuv420p")
        source = (
            frame
            if frame.format.name == "yuv420p"
            else convert(VideoReformatter(), frame, format="yuv420p")
        )
        for (plane, _), (given, _) in zip(
            Planes.of(own).each(), Planes.of(source).each(), strict=True
        ):
            plane[...] = given
        own.pts, own.time_base = pts, _TIME_BASE
        if pts >= self._next_key:
            own.pict_type = PictureType.I
            self._next_key = pts + round(_KEY_FRAME_EVERY * _CLOCK)
        self._mux(self._stream.encode(own))

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

    def __enter__(self) -> VideoFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._mux(self._stream.encode(None))
                self._release(None)
                self.duration = (self._last + self._last_frame()) / _CLOCK
        finally:
            self._container.close()


class PreviewFile(VideoFile):
    """The first seconds, small."""

    def __init__(self, path: Path, width: int, height: int) -> None:
        self._size = _within(width, height, _PREVIEW_SIDE)
        self._reformatter = VideoReformatter()
        self._began: float | None = None
        self._next = 0.0
        super().__init__(path, *self._size, quality=30)

    def add(self, frame: av.VideoFrame, at: float) -> None:
        """Append `frame` if it is one of those that the preview is made of."""
        if self._began is None:
            self._began = self._next = at
        if at < self._next or at > self._began + _PREVIEW_SECONDS - 2 * _PREVIEW_INTERVAL:
            return
        self._next = at + _PREVIEW_INTERVAL
        width, height = self._size
        small = convert(self._reformatter, frame, width=width, height=height, format="yuv420p")
        super().add(small, at - self._began)


def save_thumbnail(frame: av.VideoFrame, path: Path) -> None:
    """Write `frame` as a JPEG, at most 640 pixels on its longer side."""
    width, height = _within(frame.width, frame.height, _THUMBNAIL_SIDE)
    rgb = convert(
        VideoReformatter(), frame, width=width, height=height, format="rgb24", interpolation="AREA"
    )
    Image.fromarray(rgb.to_ndarray()).save(path, "JPEG", quality=85)


def _within(width: int, height: int, longest: int) -> tuple[int, int]:
    """The size scaled down so that the longer side is at most `longest`; both sides even."""
    scale = min(1.0, longest / max(width, height))
    return 2 * max(1, round(width * scale / 2)), 2 * max(1, round(height * scale / 2))
