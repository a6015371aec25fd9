"""The arguments and calls of `cv2.VideoCapture` that OpenCV's loops use."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from odyssey.frames.capture import Capture
from tests.support.queues import live


def capture(frames: int = 3) -> Capture:
    return Capture(live(frames), lambda: True, lambda: True)


def test_a_frame_is_read_into_an_array() -> None:
    reading = capture()
    image = np.full((2, 4, 3), 77, np.uint8)
    ok, picture = reading.read(image)
    assert ok
    assert picture is image
    assert (image == 0).all()
    assert reading.grab()
    assert reading.retrieve(image, 0)[1] is image
    assert (image == 1).all()
    assert reading.retrieve(flag=0)[1] is not image


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((2, 5, 3), np.uint8),
        np.zeros((2, 4), np.uint8),
        np.zeros((2, 4, 3), np.float32),
        np.zeros((2, 4, 6), np.uint8)[:, :, ::2],
    ],
    ids=["another size", "gray", "another dtype", "with gaps"],
)
def test_an_array_that_does_not_fit_is_left_alone(image: np.ndarray) -> None:
    before = image.copy()
    reading = capture()
    reading.grab()
    ok, picture = reading.read(image)
    assert ok
    assert picture is not image
    assert picture is not None
    assert (picture == 1).all()
    assert np.array_equal(image, before)


def test_open_and_the_name_of_the_backend() -> None:
    reading = capture()
    assert reading.open(0)
    assert reading.open("video.mp4", cv2.CAP_ANY)
    assert reading.getBackendName() == "ODYSSEY"
    reading.release()
    assert not reading.open(0)


def test_its_calls_are_those_of_opencv() -> None:
    ours = {name for name in dir(Capture) if not name.startswith("_")}
    assert {"getBackendName", "grab", "open", "retrieve", "set"} < ours
    assert ours <= set(dir(cv2.VideoCapture))
