"""Conversion straight into an array: the same bits as PyAV's own, and none beside them."""

from __future__ import annotations

import numpy as np
import pytest

from odyssey._video import swscale
from tests.support.pictures import decoded, live_frame

SIZES = [(704, 1280), (1280, 704), (480, 832), (832, 480), (16, 2)]
FORMATS = ["rgb24", "bgr24"]


def test_the_library_that_came_with_pyav_is_found() -> None:
    assert swscale._library is not None


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_same_bits_and_no_byte_beside(width: int, height: int, format: str) -> None:
    frame = decoded(width, height)
    size, margin = height * width * 3, 64
    memory = np.full(size + 3 * margin, 77, np.uint8)
    start = margin - memory.ctypes.data % margin
    out = memory[start : start + size].reshape(height, width, 3)
    assert swscale.convert_into(frame, format, out)
    assert np.array_equal(out, frame.to_ndarray(format=format))
    assert (memory[:start] == 77).all()
    assert (memory[start + size :] == 77).all()


@pytest.mark.parametrize("color_range", [0, 1, 2])
@pytest.mark.parametrize("colorspace", [0, 1, 2, 4, 5, 6, 7, 9])  # those that PyAV converts
def test_every_colour_tag_gives_the_same_bits(colorspace: int, color_range: int) -> None:
    frame = decoded(32, 16, colorspace=colorspace, color_range=color_range)
    expected = frame.to_ndarray(format="rgb24")
    out = np.empty((16, 32, 3), np.uint8)
    if swscale.convert_into(frame, "rgb24", out):
        assert np.array_equal(out, expected)
    assert (frame.colorspace, frame.color_range) == (colorspace, color_range)
    assert np.array_equal(live_frame(frame).data, expected)


def test_a_change_of_kind_in_between() -> None:
    for width, height, colorspace in ((64, 32, 1), (32, 64, 1), (32, 64, 5), (64, 32, 1)):
        frame = decoded(width, height, colorspace=colorspace)
        out = np.empty((height, width, 3), np.uint8)
        assert swscale.convert_into(frame, "rgb24", out)
        assert np.array_equal(out, frame.to_ndarray(format="rgb24"))


@pytest.mark.parametrize(
    ("width", "format", "pixels"),
    [
        (482, "rgb24", "yuv420p"),  # rows that aren't made of whole vectors
        (64, "gray8", "yuv420p"),
        (64, "rgb24", "yuvj420p"),
        (64, "rgb24", "yuv444p"),
    ],
)
def test_other_pictures_are_left_to_pyav(width: int, format: str, pixels: str) -> None:
    frame = decoded(width, 32, format=pixels)
    assert not swscale.convert_into(frame, format, np.empty((32, width, 3), np.uint8))
    if format == "rgb24":
        assert np.array_equal(live_frame(frame).data, frame.to_ndarray(format="rgb24"))


def test_an_array_that_is_not_aligned_is_left_to_pyav() -> None:
    frame = decoded(64, 32)
    memory = np.empty(64 * 32 * 3 + 1, np.uint8)[1:].reshape(32, 64, 3)
    assert not swscale.convert_into(frame, "rgb24", memory)
    assert np.array_equal(
        live_frame(frame).to_ndarray(out=memory), frame.to_ndarray(format="rgb24")
    )


def test_without_the_library_pyav_converts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swscale, "_library", None)
    frame = decoded(64, 32)
    assert not swscale.convert_into(frame, "rgb24", np.empty((32, 64, 3), np.uint8))
    assert np.array_equal(live_frame(frame).data, frame.to_ndarray(format="rgb24"))
