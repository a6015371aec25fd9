"""Frames into files: an MP4, a GIF, a folder of PNGs, or arrays in an .npz."""

from __future__ import annotations

import itertools
import json
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

if TYPE_CHECKING:
    from PIL import Image

    from odyssey import VideoFrame

_GIF_SIDE = 480
_GIF_INTERVAL = 70  # ms: every second frame of 24 a second
_LAST_GIF_FRAME = 80
_INDEX = "frames.jsonl"


class Writer(Protocol):
    """What a file is made with, in one thread: frames, then `finish` or `discard`."""

    def add(self, frame: VideoFrame, at_ms: int) -> None:
        """One more frame, shown from `at_ms` milliseconds after the first one on."""

    def finish(self) -> None:
        """The file is whole, and under its name."""

    def discard(self) -> None:
        """Nothing half done is left."""


def writer_for(path: Path, width: int, height: int) -> Writer:
    """A writer of frames of that size. Raises OSError."""
    maker = _MAKERS.get(path.suffix.lower())
    return PngFolder(path) if maker is None else maker(path, width, height)


def takes_any_size(path: Path) -> bool:
    """Whether frames of several sizes can be in one."""
    return path.suffix.lower() not in _MAKERS


def check_target(_context: object, _option: object, value: Path | None) -> Path | None:
    """Refuses what can't be written to, before anything is begun."""
    if value is None:
        return None
    ending = value.suffix.lower()
    if value.is_dir() != takes_any_size(value) and value.exists():
        raise click.BadParameter(f"{value} is a {'folder' if value.is_dir() else 'file'}")
    if value.is_dir() and any(value.iterdir()):
        raise click.BadParameter(f"there is something in the folder {value}; choose a new one")
    if value.is_dir() or not ending:
        return value
    if ending not in _MAKERS:
        known = ", ".join(_MAKERS)
        raise click.BadParameter(
            f"{value} ends in none of {known}; a name without an ending is a folder of PNGs"
        )
    if not value.parent.is_dir():
        raise click.BadParameter(f"there is no folder {value.parent}")
    return value


class _Part:
    """`NAME.part`, which becomes `NAME` when it is whole."""

    def __init__(self, path: Path) -> None:
        self._target = path
        self.path = path.with_name(path.name + ".part")

    def rename(self) -> None:
        self.path.replace(self._target)

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)


class Mp4Writer:
    """H264; each frame has its own time."""

    def __init__(self, path: Path, width: int, height: int) -> None:
        # The emulator's recordings are made with it.
        from odyssey.emulator.video_files import VideoFile

        self._part = _Part(path)
        self._file = VideoFile(self._part.path, width, height, quality=20)

    def add(self, frame: VideoFrame, at_ms: int) -> None:
        import av

        planes = frame.to_ndarray("yuv420p")
        self._file.add(av.VideoFrame.from_ndarray(planes, format="yuv420p"), at_ms / 1000)

    def finish(self) -> None:
        self._file.__exit__(None, None, None)
        self._part.rename()

    def discard(self) -> None:
        try:
            self._file.__exit__(RuntimeError, None, None)
        finally:
            self._part.discard()


class GifWriter:
    """Smaller, and about every second frame: a GIF of every pixel would be huge."""

    def __init__(self, path: Path, width: int, height: int) -> None:
        self._part = _Part(path)
        scale = min(1.0, _GIF_SIDE / max(width, height))
        self._size = max(1, round(width * scale)), max(1, round(height * scale))
        self._pictures: list[Image.Image] = []
        self._times: list[int] = []

    def add(self, frame: VideoFrame, at_ms: int) -> None:
        if self._times and at_ms < self._times[-1] + _GIF_INTERVAL:
            return
        self._pictures.append(frame.to_image().resize(self._size).quantize(256))
        self._times.append(at_ms)

    def finish(self) -> None:
        # A GIF counts in hundredths: from the times, so that roundings don't add up.
        times = [round(time / 10) * 10 for time in self._times]
        times.append(times[-1] + _LAST_GIF_FRAME)
        durations = [after - before for before, after in itertools.pairwise(times)]
        self._pictures[0].save(
            self._part.path,
            "GIF",
            save_all=True,
            append_images=self._pictures[1:],
            duration=durations,
            loop=0,
        )
        self._part.rename()

    def discard(self) -> None:
        self._part.discard()


class PngFolder:
    """00000.png and so on, and frames.jsonl with the time and the prompt of each."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self._folder = path
        self._count = 0
        self._index = (path / _INDEX).open("w", encoding="utf-8")

    def add(self, frame: VideoFrame, at_ms: int) -> None:
        name = f"{self._count:05}.png"
        frame.to_image().save(self._folder / name, compress_level=1)
        line = {"file": name, "timestamp_ms": at_ms, "index": frame.index, "prompt": frame.prompt}
        self._index.write(json.dumps(line) + "\n")
        self._count += 1

    def finish(self) -> None:
        self._index.close()

    def discard(self) -> None:
        self._index.close()  # the pictures that are there are whole


class NpzWriter:
    """`frames` (n, height, width, 3) uint8 RGB, `timestamps_ms` (n,) and `prompts` (n,).

    The pixels wait in a file, not in memory: 2.7 MB a frame.
    """

    def __init__(self, path: Path, width: int, height: int) -> None:
        self._part = _Part(path)
        self._shape = height, width, 3
        self._pixels = tempfile.TemporaryFile(dir=path.parent)  # noqa: SIM115 - `finish` closes it
        self._times: list[int] = []
        self._prompts: list[str] = []

    def add(self, frame: VideoFrame, at_ms: int) -> None:
        self._pixels.write(frame.data.data)
        self._times.append(at_ms)
        self._prompts.append(frame.prompt or "")

    def finish(self) -> None:
        import shutil

        import numpy as np

        header = {
            "descr": np.lib.format.dtype_to_descr(np.dtype(np.uint8)),
            "fortran_order": False,
            "shape": (len(self._times), *self._shape),
        }
        others: dict[str, Any] = {
            "timestamps_ms": np.array(self._times, np.int64),
            "prompts": np.array(self._prompts, np.str_),
        }
        with self._pixels, zipfile.ZipFile(self._part.path, "w") as archive:
            self._pixels.seek(0)
            with archive.open("frames.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array_header_1_0(member, header)
                shutil.copyfileobj(self._pixels, member, 1024 * 1024)
            for name, array in others.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)
        self._part.rename()

    def discard(self) -> None:
        self._pixels.close()
        self._part.discard()


_MAKERS: dict[str, Callable[[Path, int, int], Writer]] = {
    ".mp4": Mp4Writer,
    ".gif": GifWriter,
    ".npz": NpzWriter,
}
