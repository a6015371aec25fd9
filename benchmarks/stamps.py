"""When each frame was sent, shared between the sender and who receives."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

#: Frames of one stream whose sending is stamped.
MOST_FRAMES = 100_000


class Stamps:
    """When each frame of the latest stream was handed to WebRTC, in a file that others map.

    `time.monotonic()` seconds, which all processes of a machine share.
    """

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self._times: npt.NDArray[np.float64] = np.memmap(
            path, np.float64, "w+" if create else "r+", shape=(MOST_FRAMES,)
        )

    def clear(self) -> None:
        self._times[:] = 0

    def set(self, number: int) -> None:
        self._times[number] = time.monotonic()

    def get(self, number: int) -> float:
        return float(self._times[number])
