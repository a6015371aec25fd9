"""The small pictures of a recording: its preview and its thumbnail."""

from __future__ import annotations

from pathlib import Path

import av
from av.video.reformatter import VideoReformatter
from PIL import Image

from odyssey._video.writing.mp4 import Mp4File
from odyssey.emulator.painting.planes import convert

__all__ = ["PreviewFile", "save_thumbnail"]

_PREVIEW_SECONDS = 3.0
_PREVIEW_SIDE = 320
_PREVIEW_INTERVAL = 0.08  # a bit less than two frames: half the rate
_THUMBNAIL_SIDE = 640


class PreviewFile(Mp4File):
    """The first seconds of a video, small."""

    def __init__(self, path: Path, width: int, height: int) -> None:
        self._size = _within(width, height, _PREVIEW_SIDE)
        self._reformatter = VideoReformatter()
        self._began: float | None = None
        self._next = 0.0
        super().__init__(path, *self._size, quality=30)

    def add(self, frame: av.VideoFrame, at: float) -> None:
        """Appends `frame` if it is one of those that the preview is made of."""
        if self._began is None:
            self._began = self._next = at
        if at < self._next or at > self._began + _PREVIEW_SECONDS - 2 * _PREVIEW_INTERVAL:
            return
        self._next = at + _PREVIEW_INTERVAL
        width, height = self._size
        small = convert(self._reformatter, frame, width=width, height=height, format="yuv420p")
        super().add(small, at - self._began)


def save_thumbnail(frame: av.VideoFrame, path: Path) -> None:
    """Writes `frame` as a JPEG, at most 640 pixels on its longer side."""
    width, height = _within(frame.width, frame.height, _THUMBNAIL_SIDE)
    rgb = convert(
        VideoReformatter(), frame, width=width, height=height, format="rgb24", interpolation="AREA"
    )
    Image.fromarray(rgb.to_ndarray()).save(path, "JPEG", quality=85)


def _within(width: int, height: int, longest: int) -> tuple[int, int]:
    """The size scaled down so that the longer side is at most `longest`; both sides even."""
    scale = min(1.0, longest / max(width, height))
    return 2 * max(1, round(width * scale / 2)), 2 * max(1, round(height * scale / 2))
