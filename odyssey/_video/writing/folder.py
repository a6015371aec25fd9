"""Folders of PNGs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from odyssey._video.writing.part import create

if TYPE_CHECKING:
    from odyssey.frames.frame import VideoFrame

_INDEX = "frames.jsonl"


class PngFolder:
    """00000.png and so on, and frames.jsonl with the time and the prompt of each."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self._folder = path
        self._count = 0
        self._index = (path / _INDEX).open("x", encoding="utf-8")

    def add(self, frame: VideoFrame, at_ms: int) -> None:
        name = f"{self._count:05}.png"
        with create(self._folder / name) as file:
            frame.to_image().save(file, "PNG", compress_level=1)
        line = {"file": name, "timestamp_ms": at_ms, "index": frame.index, "prompt": frame.prompt}
        self._index.write(json.dumps(line) + "\n")
        self._count += 1

    def finish(self) -> None:
        self._index.close()

    def discard(self) -> None:
        self._index.close()  # the pictures that are there are whole
