"""A frame's number, painted into its top edge and read back from the decoded picture.

The bar is laid out in cells of 1/44 of the picture's width, so that it is found from the picture's
shape alone, after any scaling::

    1 0 | 24 bits of the number, highest first | 16 bits of checksum | 0 1
"""

from __future__ import annotations

import binascii
from functools import lru_cache
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

__all__ = ["MAX_FRAME_NUMBER", "bar_height", "draw_frame_number", "read_frame_number"]

MAX_FRAME_NUMBER = (1 << 24) - 1

_CELLS = 44
_DARK, _LIGHT = 26, 196  # luma; short of black and white, to stand back from the picture
_NEUTRAL = 128
_LEAST_CONTRAST = 48.0
_CLEAR = 0.2  # share of the contrast by which a cell has to differ from the middle grey
_LEAST_SIDE = 3 * _CELLS

_Bytes = npt.NDArray[np.uint8]


def bar_height(width: int, height: int) -> int:
    """Returns the height of the bar in pixels: an even number, about 1/44 of the shorter side."""
    return 2 * max(1, round(min(width, height) / _CELLS / 2 + 0.25))


@attrs.frozen(eq=False)
class _Layout:
    """The positions of the cells in one row of the bar."""

    cell: npt.NDArray[np.intp]  # (width,): the cell that each column belongs to
    inside: npt.NDArray[np.bool_]  # (width,): False in the gap between two cells
    top: int
    bottom: int

    @classmethod
    @lru_cache(maxsize=8)
    def of(cls, width: int, height: int) -> _Layout:
        position = (np.arange(width) + 0.5) * _CELLS / width
        cell = position.astype(np.intp)
        inside = np.abs(position - cell - 0.5) < 0.42
        tall = bar_height(width, height)
        inset = max(1, tall // 8)
        return cls(cell, inside, inset, tall - inset)


def _bits_of(number: int) -> npt.NDArray[np.bool_]:
    payload = number.to_bytes(3, "big")
    checksum = binascii.crc_hqx(payload, 0xFFFF).to_bytes(2, "big")
    bits = np.unpackbits(np.frombuffer(payload + checksum, np.uint8))
    return np.concatenate(([1, 0], bits, [0, 1])).astype(np.bool_)


def draw_frame_number(y: _Bytes, u: _Bytes, v: _Bytes, number: int) -> None:
    """Paints `number` into the planes of a yuv420p picture, in place.

    `y` is (height, width) uint8, `u` and `v` (height / 2, width / 2).

    Raises:
        ValueError: The number is negative or larger than `MAX_FRAME_NUMBER`.
    """
    if not 0 <= number <= MAX_FRAME_NUMBER:
        raise ValueError(f"frame number: expected 0 to {MAX_FRAME_NUMBER}, got {number}")
    height = bar_height(y.shape[1], y.shape[0])
    layout = _Layout.of(y.shape[1], y.shape[0])
    lit = _bits_of(number)[layout.cell] & layout.inside
    y[:height] = _DARK
    y[layout.top : layout.bottom] = np.where(lit, _LIGHT, _DARK)
    u[: height // 2] = _NEUTRAL
    v[: height // 2] = _NEUTRAL


def read_frame_number(rgb: npt.NDArray[Any]) -> int | None:
    """Reads the number from a decoded picture, (height, width, 3) uint8 RGB (or BGR) of any size.

    None if there is no number or it can't be read without doubt: a black frame, another picture, a
    damaged or cropped bar.

    Raises:
        ValueError: The array has another dtype or shape.
    """
    if not isinstance(rgb, np.ndarray) or rgb.dtype != np.uint8:
        found = rgb.dtype if isinstance(rgb, np.ndarray) else type(rgb).__name__
        raise ValueError(f"picture: expected a numpy array of uint8, got {found}")
    if rgb.ndim != 3 or rgb.shape[2] != 3:
        raise ValueError(f"picture: expected shape (height, width, 3), got {rgb.shape}")
    height, width = rgb.shape[:2]
    if min(width, height) < _LEAST_SIDE:
        return None
    return _decode(_cell_levels(rgb))


def _cell_levels(rgb: _Bytes) -> npt.NDArray[np.float64]:
    """Returns the brightness (0 to 255) in the middle of each of the cells, (44,)."""
    tall = min(rgb.shape[:2]) / _CELLS
    first = round(tall * 0.3)
    columns = rgb[first : max(round(tall * 0.7), first + 1)].mean(axis=(0, 2))
    position = (np.arange(columns.size) + 0.5) * _CELLS / columns.size
    cell = position.astype(np.intp)
    weight = (np.abs(position - cell - 0.5) < 0.28).astype(np.float64)
    total = np.bincount(cell, columns * weight, _CELLS)
    return total / np.maximum(np.bincount(cell, weight, _CELLS), 1.0)


def _decode(levels: npt.NDArray[np.float64]) -> int | None:
    light = (levels[0] + levels[-1]) / 2
    dark = (levels[1] + levels[-2]) / 2
    contrast = light - dark
    if contrast < _LEAST_CONTRAST:
        return None
    relative = (levels - dark) / contrast - 0.5
    if bool(np.any(np.abs(relative) < _CLEAR)):
        return None
    bits = relative > 0
    number = int.from_bytes(np.packbits(bits[2:26]).tobytes(), "big")
    return number if bool(np.array_equal(bits, _bits_of(number))) else None
