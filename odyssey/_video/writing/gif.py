"""Animated GIFs."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

from odyssey._video.writing.part import PartFile

if TYPE_CHECKING:
    from PIL import Image

    from odyssey.frames.frame import VideoFrame

_LONGEST_SIDE = 480
_INTERVAL = 70  # ms: every second frame of 24 a second
_LAST_FRAME = 80


class GifWriter:
    """A GIF, smaller than the video and of about every second frame: all of it would be huge."""

    def __init__(self, path: Path, width: int, height: int) -> None:
        self._part = PartFile(path)
        scale = min(1.0, _LONGEST_SIDE / max(width, height))
        self._size = max(1, round(width * scale)), max(1, round(height * scale))
        self._pictures: list[Image.Image] = []
        self._times: list[int] = []

    def add(self, frame: VideoFrame, at_ms: int) -> None:
        if self._times and at_ms < self._times[-1] + _INTERVAL:
            return
        self._pictures.append(frame.to_image().resize(self._size).quantize(256))
        self._times.append(at_ms)

    def finish(self) -> None:
        # A GIF counts in hundredths: from the times, so that roundings don't add up.
        times = [round(time / 10) * 10 for time in self._times]
        times.append(times[-1] + _LAST_FRAME)
        durations = [after - before for before, after in itertools.pairwise(times)]
        with self._part.open() as file:
            self._pictures[0].save(
                file,
                "GIF",
                save_all=True,
                append_images=self._pictures[1:],
                duration=durations,
                loop=0,
            )
        self._part.rename()

    def discard(self) -> None:
        self._part.discard()
