"""Arrays in an .npz."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from odyssey._video.writing.part import PartFile

if TYPE_CHECKING:
    from odyssey.frames.frame import VideoFrame


class NpzWriter:
    """`frames` (n, height, width, 3) uint8 RGB, `timestamps_ms` (n,) and `prompts` (n,).

    The pixels wait in a file, not in memory: 2.7 MB a frame.
    """

    def __init__(self, path: Path, width: int, height: int) -> None:
        self._shape = height, width, 3
        self._pixels = tempfile.TemporaryFile(dir=path.parent)  # noqa: SIM115 - `finish` closes it
        try:
            self._part = PartFile(path)
        except BaseException:
            self._pixels.close()
            raise
        self._times: list[int] = []
        self._prompts: list[str] = []

    def add(self, frame: VideoFrame, at_ms: int) -> None:
        self._pixels.write(frame.data.data)
        self._times.append(at_ms)
        self._prompts.append(frame.prompt or "")

    def finish(self) -> None:
        header = {
            "descr": np.lib.format.dtype_to_descr(np.dtype(np.uint8)),
            "fortran_order": False,
            "shape": (len(self._times), *self._shape),
        }
        others: dict[str, Any] = {
            "timestamps_ms": np.array(self._times, np.int64),
            "prompts": np.array(self._prompts, np.str_),
        }
        with self._pixels, self._part.open() as file, zipfile.ZipFile(file, "w") as archive:
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
